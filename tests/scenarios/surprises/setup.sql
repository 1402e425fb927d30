-- What surprised in real projects, in one database.
ALTER TABLE made_later ADD COLUMN note text DEFAULT 'late';
CREATE TABLE made_later (id int PRIMARY KEY);
INSERT INTO made_later VALUES (1);
-- A primary key that takes over an index.
CREATE TABLE "API_ACCESS" ("from" text NOT NULL, "order" int, "FriendRequest" boolean);
CREATE UNIQUE INDEX access_key ON "API_ACCESS" ("from");
ALTER TABLE "API_ACCESS" ADD PRIMARY KEY USING INDEX access_key;
INSERT INTO "API_ACCESS" VALUES ('a', 1, true), ('B', NULL, NULL);
-- A column replaced by add, update, drop, rename.
CREATE TABLE plans (id uuid PRIMARY KEY, price text);
INSERT INTO plans VALUES ('00000000-0000-4000-8000-000000000001', '12');
ALTER TABLE plans ADD COLUMN new_price int;
UPDATE plans SET new_price = price::int;
ALTER TABLE plans DROP COLUMN price;
ALTER TABLE plans RENAME COLUMN new_price TO price;
-- 256-bit integers, an array of a composite, a default of the year 1.
CREATE TYPE order_line AS (sku text, count int);
CREATE TABLE claims (id numeric(78,0) PRIMARY KEY, lines order_line[], since date NOT NULL DEFAULT '0001-01-01');
INSERT INTO claims VALUES (115792089237316195423570985008687907853269984665640564039457584007913129639935,
  ARRAY[ROW('a,"b"', 1)::order_line, ROW(NULL, 2)::order_line], DEFAULT);
-- A singleton.
CREATE TABLE settings (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), theme text);
INSERT INTO settings VALUES (1, 'dark');
-- Unique with NULLs that are equal; a reference to a slug; a partition; an empty table of Prisma's.
CREATE TABLE teams (id uuid PRIMARY KEY, slug text UNIQUE NOT NULL, code text);
CREATE UNIQUE INDEX one_without_code ON teams (code) NULLS NOT DISTINCT;
INSERT INTO teams VALUES ('00000000-0000-4000-8000-0000000000a1', 'red', NULL),
  ('00000000-0000-4000-8000-0000000000a2', 'blue', 'b');
CREATE TABLE events (id bigint NOT NULL, team text REFERENCES teams (slug), at timestamptz NOT NULL,
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO events VALUES (1, 'red', '2025-06-01 10:00:00.000001+00'), (1, 'blue', '2026-06-01+00'), (2, NULL, '2026-01-01+00');
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64));
-- More indexes than Convex takes.
CREATE TABLE wide (id int PRIMARY KEY);
DO $$ BEGIN FOR n IN 1..40 LOOP
  EXECUTE format('ALTER TABLE wide ADD COLUMN c%s int DEFAULT %s', n, n);
  EXECUTE format('CREATE INDEX ON wide (c%s)', n);
END LOOP; END $$;
INSERT INTO wide VALUES (1);
-- Tables that hold nothing to move.
CREATE FOREIGN DATA WRAPPER nothing;
CREATE TEMPORARY TABLE scratch (a int);
CREATE VIEW dark AS SELECT * FROM settings WHERE theme = 'dark';
-- Types of extensions, as their text.
CREATE EXTENSION IF NOT EXISTS postgis WITH SCHEMA extensions;
CREATE TABLE stores (id uuid PRIMARY KEY, location geography(POINT, 4326) NOT NULL, area extensions.geometry(Polygon),
  path ltree, attrs hstore);
INSERT INTO stores VALUES ('00000000-0000-4000-8000-000000000009', 'POINT(106.8 -6.2)', NULL, 'a.b', 'a=>1');
