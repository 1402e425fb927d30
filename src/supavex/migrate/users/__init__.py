"""auth.users, for Clerk or for Convex Auth."""
