-- The text that PostgREST, and so supabase-js, gave the app: of the row's JSON, not of a cast.
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN host AS inet;
CREATE TABLE seen (
  id int PRIMARY KEY, ip inet, net cidr, host host, mac macaddr, span interval, padded char(5), bits bit(3), varying varbit,
  "range" int4range, ranges datemultirange, cash money, at timestamptz, local timestamp, clock time, clock_tz timetz, spot point,
  mood mood, letter "char", name name,
  ips inet[], spans interval[], paddeds char(3)[], nested inet[], moments timestamptz[], moods mood[], boxes box[]
);
INSERT INTO seen VALUES (
  1, '203.0.113.7', '10.0.0.0/8', '::1', '08:00:2b:01:02:03', '90 minutes', 'ab', B'101', B'10', '[1,5)', '{[2024-01-01,2024-02-01)}',
  1234.5, '2024-02-29 12:34:56.5+02', '2024-02-29 12:34:56', '09:30', '09:30+02', '(1,2)', 'ok', 'x', 'n',
  '{203.0.113.7,10.0.0.0/8}', '{90 minutes,1 day}', '{a,bc}', '{{1.1.1.1},{2.2.2.2/16}}', '{2024-02-29 12:34:56+02}', '{ok,sad}',
  '{(1,1),(0,0);(2,2),(1,1)}'
), (2, '10.0.0.0/8', '203.0.113.7/32', '10.1.2.3/16', NULL, '-1 mon +2 days 03:04:05.678', '', B'000', B'', 'empty', '{}', -5,
  'infinity', '0044-03-15 10:00 BC', '24:00', NULL, NULL, NULL, '', '', '{}', '{NULL}', '{}', '{}', '{infinity}', '{}', NULL);
