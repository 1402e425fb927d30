-- NaN and infinity of every type that has them, into columns that say each of the three things to do with it.
CREATE TABLE refused (id int PRIMARY KEY, f8 float8, f4 float4, dec numeric, tz timestamptz, ts timestamp, day date);
INSERT INTO refused VALUES (0, 0.1, 0.1, 0.1, '2024-01-01 00:00+00', '2024-01-01', '2024-01-01');
INSERT INTO refused (id, f8) VALUES (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity');
INSERT INTO refused (id, f4) VALUES (4, 'NaN'), (5, '-Infinity');
INSERT INTO refused (id, dec) VALUES (6, 'NaN'), (7, 'Infinity'), (8, '-Infinity');
INSERT INTO refused (id, tz) VALUES (9, 'infinity'), (10, '-infinity');
INSERT INTO refused (id, ts) VALUES (11, 'infinity');
INSERT INTO refused (id, day) VALUES (12, '-infinity');
CREATE TABLE kept (LIKE refused INCLUDING ALL);
INSERT INTO kept SELECT * FROM refused;
INSERT INTO kept (id, f8, tz, day) VALUES (13, '-0', '2024-01-01 00:00:00.123456+00', '0044-03-15 BC');
CREATE TABLE nulled (LIKE refused INCLUDING ALL);
INSERT INTO nulled SELECT * FROM refused;
-- NULL becomes the default, null, or a rejection, like any other NULL.
CREATE TABLE choices (id int PRIMARY KEY, filled float8 NOT NULL, empty numeric NOT NULL, required timestamptz NOT NULL);
INSERT INTO choices VALUES (1, 'NaN', 'NaN', '2024-01-01 00:00+00'), (2, 1, 1, 'infinity');
-- A choice for one column leaves the bare integers, bytes and JSON of its neighbours as they are.
CREATE TABLE neighbours (id int PRIMARY KEY, n float8, big int8, bits bytea, data jsonb, tags int[]);
INSERT INTO neighbours VALUES (1, 'NaN', 9223372036854775807, '\x00ff', '{"n": 1, "m": [2]}', '{1,2}');
