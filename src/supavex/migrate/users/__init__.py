"""Exports auth.users for Clerk or Convex Auth."""
