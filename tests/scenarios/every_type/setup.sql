-- One column of each family, with its extremes, into the field that a careful person would choose.
CREATE TYPE mood AS ENUM ('senang', 'sedih');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE things (
  id uuid PRIMARY KEY,
  small int2, whole int4, big int8, huge int8,
  price numeric(12,2), exact numeric, digits numeric(78,0), cents numeric(10,0),
  ratio float8, single float4, cash money,
  yes boolean, words text, code varchar(3), padded char(5), feeling mood, address email, reference uuid,
  day date, day_number date, moment timestamptz, local timestamp, clock time, clock_full time, span interval,
  data jsonb, raw json, shaped jsonb, text_data jsonb,
  tags text[], numbers int[], prices numeric[], flags boolean[], days date[],
  bits bytea, base64 bytea, ip inet, range_ int4range, vec vector(3),
  created_at timestamptz NOT NULL
);
CREATE EXTENSION IF NOT EXISTS vector;
INSERT INTO things VALUES (
  '00000000-0000-4000-8000-000000000001',
  -32768, 2147483647, 9007199254740992, 9223372036854775807,
  1234567890.10, 0.1, 123456789012345678901234567890, 42,
  1e-7, 0.1, '12.50',
  true, E'tab\t quote" back\\slash\nline é 🎓 \u2028 \u007f', 'IDR', 'ab', 'sedih', 'a@b', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
  '2024-02-29', '2024-02-29', '2024-01-01 00:00:00.123456+07', '2024-01-01 12:00', '09:30', '23:59:59.5', '1 day 2 hours',
  '{"a": {"b": [1, 2.5, null, true, "x"]}, "n": 12345678901234567890}', '{ "z" : 1,
 "a":  [ ] }', '{"name": "x", "size": 3}', '{"k": 1}',
  ARRAY['a,b', 'c"d', 'e\f'], '{1,2,3}', '{0.10,2}', '{t,f}', '{2024-01-01}',
  '\x00ff10', '\x00ff10', '10.0.0.1/8', '[1,5)', '[1,2.5,-3]',
  '2024-01-01 00:00+00'
);
INSERT INTO things (id, created_at) VALUES ('00000000-0000-4000-8000-000000000002', '2024-01-02 00:00+00');
INSERT INTO things (id, words, tags, data, ratio, moment, created_at)
VALUES ('00000000-0000-4000-8000-000000000003', '', '{}', 'null', '-0', '1969-12-31 23:59:59.9995+00', '2024-01-03 00:00+00');
