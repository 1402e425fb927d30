-- A row for each reason to reject one, a good row in each table, and the rejections that follow from one another.
CREATE TABLE bad (
  id int PRIMARY KEY, required text, status text, n int, code text, big bigint, dec numeric, f float8, moment timestamptz,
  clock time, data jsonb, tags text[], grid int[], owner uuid, shaped jsonb);
INSERT INTO bad VALUES (0, 'good', 'a', 1, 'AB', 1, 1.5, 1.5, '2024-01-01', '09:00', '{"a": 1}', '{x}', '{1}', NULL, '{"k": 1}');
INSERT INTO bad (id, required) VALUES (1, NULL);
INSERT INTO bad (id, required, status) VALUES (2, 'x', 'c');
INSERT INTO bad (id, required, n) VALUES (3, 'x', 7), (4, 'x', -1);
INSERT INTO bad (id, required, code) VALUES (5, 'x', 'abc');
INSERT INTO bad (id, required, big) VALUES (6, 'x', 9007199254740993);
INSERT INTO bad (id, required, dec) VALUES (7, 'x', 0.12345678901234567890), (8, 'x', 1e400), (9, 'x', 'NaN'), (10, 'x', 1e-400);
INSERT INTO bad (id, required, f) VALUES (11, 'x', 'NaN'), (12, 'x', '-Infinity');
INSERT INTO bad (id, required, moment) VALUES (13, 'x', 'infinity'), (14, 'x', '4000-01-01 00:00:00.000001+00');
INSERT INTO bad (id, required, clock) VALUES (15, 'x', '09:00:30');
INSERT INTO bad (id, required, data) VALUES (16, 'x', '{"$key": 1}'), (17, 'x', '{"a": [{"kunci é": 1}]}'),
  (18, 'x', '[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]'), (19, 'x', '{"n": 1e400}'), (20, 'x', jsonb_build_object(repeat('k', 1025), 1));
INSERT INTO bad (id, required, data) SELECT 21, 'x', jsonb_agg(n) FROM generate_series(1, 8193) n;
INSERT INTO bad (id, required, data) SELECT 22, 'x', jsonb_object_agg('k' || n, n) FROM generate_series(1, 1025) n;
INSERT INTO bad (id, required, tags) VALUES (23, 'x', '{a,NULL}');
INSERT INTO bad (id, required, tags) SELECT 24, 'x', array_agg(n::text) FROM generate_series(1, 8193) n;
INSERT INTO bad (id, required, grid) VALUES (25, 'x', '{{1,2},{3,4}}');
INSERT INTO bad (id, required) SELECT 26, repeat('é', 524288);
INSERT INTO bad (id, required, owner) VALUES (27, 'x', '00000000-0000-4000-8000-0000000000ee');
INSERT INTO bad (id, required, shaped) VALUES (28, 'x', '{"k": "text"}'), (29, 'x', '{"k": 1, "more": 2}');
-- These look odd and are fine.
INSERT INTO bad (id, required, data) VALUES (30, 'x', '{"a": "{\"$x\": é}", "b": "1e5", "c\"d": 1e5}'), (31, 'x', '"$"');

CREATE TABLE parents (id int PRIMARY KEY, name text);
CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents (id));
CREATE TABLE chain (id int PRIMARY KEY, next int, name text);
INSERT INTO parents VALUES (1, 'ok'), (2, NULL);
INSERT INTO children VALUES (1, 1), (2, 2);
ALTER TABLE chain ADD FOREIGN KEY (next) REFERENCES chain (id) NOT VALID;
-- 1 -> 2 -> 3 (rejected): all three go. 4 -> 5 stay. 6 points at nothing.
INSERT INTO chain VALUES (3, NULL, NULL), (2, 3, 'b'), (1, 2, 'a'), (5, NULL, 'e'), (4, 5, 'd');
SET session_replication_role = replica;
INSERT INTO chain VALUES (6, 99, 'f');
RESET session_replication_role;
