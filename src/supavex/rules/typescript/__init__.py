"""From the typed form to TypeScript: the policies, and the database wrapper that holds to them."""
