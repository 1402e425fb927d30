-- By its name, the Supabase CLI does not run this file.
ALTER TABLE tools DROP COLUMN serial;
DELETE FROM tools;
