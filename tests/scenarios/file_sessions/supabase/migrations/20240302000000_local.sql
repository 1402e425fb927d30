-- What is said for a transaction holds in it alone.
CREATE SCHEMA attic;
BEGIN;
SET LOCAL search_path = attic;
CREATE TABLE plants (id int);
INSERT INTO plants VALUES (9);
DELETE FROM plants;
COMMIT;
UPDATE plants SET kind = 'shrub' WHERE id = 1;
