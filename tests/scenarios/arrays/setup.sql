-- Arrays of every kind of element, with NULLs in them, of one dimension and of several, and empty ones.
CREATE TYPE mood AS ENUM ('senang', 'sedih');
CREATE TABLE flat (
  id int PRIMARY KEY, texts text[], moods mood[], uuids uuid[], ints int[], bigs int8[], int64s int8[], decimals numeric[],
  singles float4[], doubles float8[], cash money[], flags bool[], days date[], day_numbers date[], moments timestamptz[],
  clocks time[], bits bytea[], base64 bytea[], data jsonb[], raw json[], shaped jsonb[], ips inet[]);
INSERT INTO flat VALUES (
  1, ARRAY['a,b', NULL, '"\', ''], '{senang,NULL}', '{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11,NULL}', '{1,NULL,-3}',
  '{9007199254740992,NULL}', '{9223372036854775807,NULL}', '{0.10,NULL}', '{0.1,NULL}', '{-0,NULL,1e300}', '{12.50,NULL}',
  '{t,NULL,f}', '{2024-02-29,NULL}', '{2024-02-29,NULL}', '{2024-01-01 00:00:00.123456+07,NULL}', '{09:30,NULL}',
  '{"\\x00ff","\\x",NULL}', '{"\\x00ff",NULL}', ARRAY['{"a": [1]}', 'null', NULL]::jsonb[], ARRAY['{ "a" : 1e2 }', NULL]::json[],
  ARRAY['{"k": 1}', NULL]::jsonb[], '{10.0.0.1/8,NULL}');
INSERT INTO flat (id) VALUES (2);
INSERT INTO flat SELECT 3, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  '{}', '{}', '{}';
INSERT INTO flat (id, texts, ints) VALUES (4, '[0:1]={a,b}', '[0:1]={1,2}');

CREATE TABLE nested (
  id int PRIMARY KEY, texts text[], ints int[], int64s int8[], decimals numeric[], flags bool[], bits bytea[], data jsonb[],
  days date[], anything text[]);
INSERT INTO nested VALUES (
  1, '{{a,NULL},{b,"{c}"}}', '{{1,2},{3,NULL}}', '{{9223372036854775807}}', '{{0.1},{NULL}}', '{{t,NULL}}',
  '{{"\\x00ff"},{NULL}}', '{{"{\"a\": 1}"},{NULL}}', '{{2024-02-29,NULL}}', '{{{a},{b}},{{c},{NULL}}}');
INSERT INTO nested SELECT 2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}';
INSERT INTO nested (id, texts, anything) VALUES (3, '[2:3][0:0]={{a},{b}}', '{plain}');

-- A row for each reason that an array can't go.
CREATE TABLE bad (id int PRIMARY KEY, texts text[], numbers numeric[], moments timestamptz[], bits bytea[], pairs int[]);
INSERT INTO bad VALUES (0, '{a}', '{1}', '{2024-01-01 00:00+00}', '{"\\x00"}', '{{1,2}}');
INSERT INTO bad (id, texts) VALUES (1, '{a,NULL}'), (2, '{{a}}');
INSERT INTO bad (id, numbers) VALUES (3, '{1,NULL}'), (4, '{NaN}'), (5, '{0.12345678901234567890}'), (6, '{{1}}');
INSERT INTO bad (id, moments) VALUES (7, '{NULL}'), (8, '{infinity}'), (9, '{2300-01-01 00:00:00.1234+00}');
INSERT INTO bad (id, bits) VALUES (10, '{NULL}'), (11, '{{"\\x00"}}');
INSERT INTO bad (id, pairs) VALUES (12, '{1,2}'), (13, '{{1,NULL}}'), (14, '{{{1}}}');
INSERT INTO bad (id, texts) SELECT 15, array_agg(n::text) FROM generate_series(1, 8193) n;
INSERT INTO bad (id, bits) SELECT 16, array_agg('\x00'::bytea) FROM generate_series(1, 8193) n;

-- Of domains, of which NULL may be no value.
CREATE DOMAIN whole AS int NOT NULL;
CREATE DOMAIN word AS text CHECK (VALUE IS NOT NULL);
CREATE DOMAIN maybe AS numeric(6, 2);
CREATE TABLE domains (id int PRIMARY KEY, wholes whole[], words word[], maybes maybe[]);
INSERT INTO domains VALUES (1, '{1,2}', '{a}', '{1.50}'), (2, '{}', '{}', '{}'), (3, NULL, NULL, NULL), (4, '{}', '{}', '{1,NULL}'),
  (5, '{{1}}', NULL, NULL);
