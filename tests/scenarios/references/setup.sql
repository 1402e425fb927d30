-- Keys of every form, and every way to refer to them.
CREATE TABLE people (id uuid PRIMARY KEY, name text NOT NULL, email text UNIQUE NOT NULL, boss uuid REFERENCES people (id));
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES people (id), bio text);          -- one to one: the key is a reference
CREATE TABLE countries (code text PRIMARY KEY, title text NOT NULL);                    -- a text key
CREATE TABLE counters (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int NOT NULL);
CREATE TABLE hens (id int PRIMARY KEY, egg int);
CREATE TABLE eggs (id int PRIMARY KEY, hen int REFERENCES hens (id));                   -- a cycle of two tables
ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs (id);
CREATE TABLE memberships (person uuid REFERENCES people (id), country text REFERENCES countries (code), role text,
  PRIMARY KEY (person, country));                                                       -- a key of two columns
CREATE TABLE letters (
  id uuid PRIMARY KEY, sender text REFERENCES people (email),                           -- refers to a unique column
  owner uuid REFERENCES auth.users (id), country text REFERENCES countries (code), counter bigint REFERENCES counters (id),
  loose uuid);                                                                          -- no constraint at all
INSERT INTO people VALUES
  ('00000000-0000-4000-8000-00000000000a', 'Ani', 'ani@x', NULL),
  ('00000000-0000-4000-8000-00000000000b', 'Budi', 'budi@x', '00000000-0000-4000-8000-00000000000a');
UPDATE people SET boss = '00000000-0000-4000-8000-00000000000b' WHERE name = 'Ani';
INSERT INTO profiles VALUES ('00000000-0000-4000-8000-00000000000a', 'hi');
INSERT INTO countries VALUES ('id', 'Indonesia'), ('côte "d''ivoire"\', 'Côte d''Ivoire');
INSERT INTO counters (n) VALUES (1), (2);
INSERT INTO hens VALUES (-1, NULL), (2, NULL);
INSERT INTO eggs VALUES (1, -1), (2147483647, 2);
UPDATE hens SET egg = 2147483647 WHERE id = -1;
INSERT INTO memberships VALUES ('00000000-0000-4000-8000-00000000000a', 'id', 'chef'),
  ('00000000-0000-4000-8000-00000000000b', 'côte "d''ivoire"\', NULL);
INSERT INTO auth.users (id, email) VALUES ('00000000-0000-4000-8000-0000000000ff', 'u@x');
INSERT INTO letters VALUES
  ('00000000-0000-4000-8000-000000000001', 'ani@x', '00000000-0000-4000-8000-0000000000ff', 'côte "d''ivoire"\', 2,
   '00000000-0000-4000-8000-00000000000b'),
  ('00000000-0000-4000-8000-000000000002', NULL, NULL, NULL, NULL, NULL);
