-- Numbers inside JSON become the doubles that JSON.parse gives: only those are counted that it rounds.
CREATE TABLE hooks (id int PRIMARY KEY, payload jsonb, raw json, items jsonb[], kept jsonb, as_text jsonb);
INSERT INTO hooks VALUES
 (1, '{"guild_id": 1182736451827364518}', '{"a": 0.12345678901234567890}', ARRAY['[9007199254740993]'::jsonb], '[1]', '9007199254740993'),
 (2, '[9007199254740992, 9007199254740994, 1180591620717411303424, 0.1, "9007199254740993", 1e23]', '[1e-400, 5e-324]', '{1,2}', '[0.1]', '1'),
 (3, '[1]', '{"a": 1e22}', NULL, '[9007199254740993]', NULL),
 (4, '[1e400]', NULL, NULL, NULL, NULL);
