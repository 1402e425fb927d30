-- NULL stays NULL where nobody asks for more, whatever the defaults.
CREATE TABLE accounts (id uuid PRIMARY KEY, seat_limit int DEFAULT 5, newsletter boolean DEFAULT true,
  settings jsonb DEFAULT '{"theme":"light"}', tags text[] DEFAULT '{}', plan text DEFAULT 'free');
INSERT INTO accounts VALUES ('00000000-0000-4000-8000-000000000001');
INSERT INTO accounts VALUES ('00000000-0000-4000-8000-000000000002', NULL, NULL, NULL, NULL, NULL);
-- Filled by table, by name, and not: a CHECK reads the one, a UNIQUE the other, and the last is another at each run.
CREATE TABLE filled (id int PRIMARY KEY, size int DEFAULT 5, checked int DEFAULT 6 CHECK (checked > 0),
  named int DEFAULT 7 CHECK (named > 0), code text DEFAULT 'x' UNIQUE, kept int DEFAULT 8, at timestamptz DEFAULT now(),
  odd char(3) DEFAULT 'a', list text[] DEFAULT '{}');
INSERT INTO filled VALUES (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (2, NULL, NULL, 1, NULL, 1, '2024-01-01 00:00+00', 'b', '{a}');
