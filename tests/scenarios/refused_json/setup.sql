-- JSON that Convex refuses, in columns that say each of the three things to do with it, and JSON that is fine beside it.
CREATE TABLE refused (id int PRIMARY KEY, data jsonb, raw json, shaped jsonb, many jsonb[]);
CREATE TABLE escaped (LIKE refused INCLUDING ALL);
CREATE TABLE as_text (LIKE refused INCLUDING ALL);
INSERT INTO refused VALUES
  (1, '{"ok": [1, 2.5, null, "$x", "é", "100%"], "": {"a$": true}}', '{ "b" : 1, "b" : 2e0 }', '{"k": 1}', ARRAY['{"k": 1}', NULL]::jsonb[]),
  (2, '["no keys", 1]', '"{\"$ref\": 1}"', '{}', '{}'),
  (3, 'null', 'null', NULL, ARRAY['null']::jsonb[]);
INSERT INTO refused (id, data) VALUES (4, '{"$ref": {"%": 1, "%24ref": 2, "kunci é": [{"$": []}]}}');
INSERT INTO refused (id, raw) VALUES (5, '{ "$b" : 1e0,  "$b" : 2 }');
INSERT INTO refused (id, shaped) VALUES (6, '{"$k": 1, "k": 2}');
INSERT INTO refused (id, many) VALUES (7, ARRAY['{"$k": 1}', NULL]::jsonb[]);
-- Escaping helps keys only, text helps wherever the field takes text, and neither helps what does not fit the field.
INSERT INTO refused (id, data) VALUES (8, '[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]');
INSERT INTO refused (id, raw) VALUES (9, '"\ud800"');
INSERT INTO refused (id, shaped) VALUES (10, '{"k": "no number"}');
INSERT INTO escaped SELECT * FROM refused;
INSERT INTO as_text SELECT * FROM refused;
INSERT INTO as_text (id, raw) VALUES (11, '{"n": 1e400}');
