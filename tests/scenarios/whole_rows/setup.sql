-- Tables without a key: the whole row is one, and equal rows are numbered.
CREATE TABLE events (kind text, at timestamptz, data jsonb, size float8, bits bytea);
INSERT INTO events VALUES
  ('a', '2024-01-01 00:00+00', '{"n": 1}', 0.1, '\x00ff'), ('a', '2024-01-01 00:00+00', '{"n": 1}', 0.1, '\x00ff'),
  ('a', '2024-01-01 00:00+00', '{"n": 1}', 0.1, '\x00ff'), ('a', '2024-01-01 00:00:00.000001+00', '{"n": 1}', 0.1, '\x00ff'),
  ('', NULL, NULL, '0', NULL), (NULL, NULL, NULL, '0', NULL), (NULL, NULL, NULL, '-0', NULL), (NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL),
  ('it''s "quoted", \ (x) #1', NULL, 'null', NULL, '\x');
-- Rows that are rejected are named by their text; an equal row is rejected with it.
CREATE TABLE readings (sensor int, value float8, CHECK (sensor > 0));
INSERT INTO readings VALUES (1, 1.5), (1, 'NaN'), (1, 'NaN'), (2, 1.5), (2, 1.5);
-- It may be chosen although there is a key, and it may refer to others.
CREATE TABLE people (id int PRIMARY KEY, name text);
CREATE TABLE visits (id int PRIMARY KEY, person int REFERENCES people (id), "Odd ""name" text);
INSERT INTO people VALUES (1, 'Ani'), (2, 'Budi');
INSERT INTO visits VALUES (1, 1, 'x'), (2, 1, 'x'), (3, NULL, NULL);
-- The row as text, in a field.
CREATE TABLE logged (line text);
INSERT INTO logged VALUES ('one'), ('one'), ('two');
