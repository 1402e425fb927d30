-- References by several columns: to the key, in another order, to another unique key, without a constraint, to nothing.
CREATE TABLE countries (code text PRIMARY KEY);
CREATE TABLE cities (
  country text REFERENCES countries (code), number numeric(9, 2), zip int, area int, name text NOT NULL,
  PRIMARY KEY (country, number), UNIQUE (area, zip));
CREATE TABLE shops (
  id int PRIMARY KEY, land text, num numeric(9, 1), zip int, area int, loose_land text, loose_number numeric,
  FOREIGN KEY (num, land) REFERENCES cities (number, country),
  FOREIGN KEY (zip, area) REFERENCES cities (zip, area));
INSERT INTO countries VALUES ('id'), ('"x", "y');
INSERT INTO cities VALUES ('id', 7, 40111, 1, 'Bandung'), ('id', 7.5, 40112, 1, 'Cimahi'), ('"x", "y', 7, 40111, 2, 'Quoted');
INSERT INTO shops VALUES
  (1, 'id', 7.0, 40111, 1, 'id', 7.5), (2, '"x", "y', 7, 40111, 2, '"x", "y', 7.000),
  (3, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'id', NULL, NULL, 1, NULL, 7);     -- half a reference is none
INSERT INTO shops (id, loose_land, loose_number) VALUES (5, 'id', 99);             -- points at nothing
SET session_replication_role = replica;
INSERT INTO shops (id, zip, area) VALUES (6, 1, 1);                               -- so does this, by the other key
INSERT INTO shops (id, land, num) VALUES (7, 'id', 8);
INSERT INTO cities VALUES ('no', 1, 1, 9, 'Nowhere');                             -- rejected: its country is not there
INSERT INTO shops (id, land, num) VALUES (8, 'no', 1);
INSERT INTO shops (id, zip, area) VALUES (9, 1, 9);
RESET session_replication_role;

-- Arrays of references, by keys of every form.
CREATE TABLE people (id uuid PRIMARY KEY, name text, friends uuid[]);              -- to the table itself
CREATE TABLE tags (id int PRIMARY KEY, name text);
CREATE TABLE posts (id int PRIMARY KEY, authors uuid[], tags int8[], lands text[], csv text);
INSERT INTO people VALUES
  ('00000000-0000-4000-8000-00000000000a', 'Ani', '{00000000-0000-4000-8000-00000000000b,00000000-0000-4000-8000-00000000000a}'),
  ('00000000-0000-4000-8000-00000000000b', 'Budi', '{}'),
  ('00000000-0000-4000-8000-00000000000c', NULL, NULL),                            -- rejected: the name is required
  ('00000000-0000-4000-8000-00000000000d', 'Dewi', '{00000000-0000-4000-8000-00000000000c}'),
  ('00000000-0000-4000-8000-00000000000e', 'Eka', '{00000000-0000-4000-8000-00000000000d}');
INSERT INTO tags VALUES (-1, 'minus'), (2, 'two'), (3, NULL);                      -- the last is rejected
INSERT INTO posts VALUES
  (1, '{00000000-0000-4000-8000-00000000000b,00000000-0000-4000-8000-00000000000b}', '{2,-1}', ARRAY['id', '"x", "y'], '2,-1'),
  (2, NULL, '{}', NULL, NULL);
INSERT INTO posts (id, authors) VALUES (3, '{00000000-0000-4000-8000-00000000000c}'),
  (4, '{00000000-0000-4000-8000-00000000000b,00000000-0000-4000-8000-0000000000ff}');
INSERT INTO posts (id, tags) VALUES (5, '{2,99}'), (6, '{2,3}'), (7, '{2,NULL}');
INSERT INTO posts (id, lands) VALUES (8, '{id,de}');
INSERT INTO posts (id, csv) VALUES (9, '2,4');
