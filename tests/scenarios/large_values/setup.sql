-- Values that are too large for a document, or for its field, become stored files: of every type that can be one, and of
-- keys of every form.
CREATE TABLE articles (
  id uuid PRIMARY KEY, title text NOT NULL, body text, code varchar, raw json, extra jsonb, blob bytea,
  created_at timestamptz NOT NULL
);
INSERT INTO articles VALUES
  -- Ten bytes stay, eleven go; of two bytes each, six characters are too many.
  ('10000000-0000-4000-8000-000000000001', 'stays', '1234567890', 'ééééé', '{"a": [1]}', '{"a": [1]}', '\x00ff0102030405060708',
   '2024-01-01'),
  ('10000000-0000-4000-8000-000000000002', 'goes', '12345678901', 'éééééé', '{"a":  [1] }', '{"a": [12]}',
   '\x00ff010203040506070809', '2024-01-02 00:00:00.123456'),
  ('10000000-0000-4000-8000-000000000003', 'nothing', NULL, NULL, NULL, NULL, NULL, '2024-01-03'),
  ('10000000-0000-4000-8000-000000000004', 'empty', '', '', '""', '""', '', '2024-01-04'),
  ('10000000-0000-4000-8000-000000000005', 'three megabytes', repeat('é"', 1000000), 'x',
   ('["' || repeat('x', 3000000) || '"]')::json, jsonb_build_object('$ref', repeat('y', 3000000)),
   decode(repeat('00ff', 1500000), 'hex'), '2024-01-05');
-- Every value becomes a file, and no row keeps it; a row without one is rejected.
CREATE TABLE notes (tenant text, number int, content text, PRIMARY KEY (tenant, number));
INSERT INTO notes VALUES ('a', 1, 'one'), ('a', 2, ''), ('b', 1, NULL);
-- A row that is rejected for another reason leaves no file.
CREATE TABLE pages (slug text PRIMARY KEY, status text, body text);
INSERT INTO pages VALUES
  ('good', 'open', repeat('x', 20)), ('bad', 'odd', repeat('y', 20)), ('small', 'open', 'x'), ('bad and small', 'odd', 'x');
-- What PostgreSQL makes is a value like any other.
CREATE TABLE made (id int PRIMARY KEY, a text, b text GENERATED ALWAYS AS (a || a) STORED);
INSERT INTO made VALUES (1, 'seven'), (2, 'eleven');
-- No key: the whole row is.
CREATE TABLE logs (line text);
INSERT INTO logs VALUES ('short'), (repeat('z', 11)), (repeat('z', 11));
