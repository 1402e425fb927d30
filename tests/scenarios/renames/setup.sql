-- Names that Convex does not take as they are, expressions, and things left behind on purpose.
CREATE SCHEMA billing;
CREATE TABLE "Order-Lines" ("$id" uuid PRIMARY KEY, "größe" int, "from" text, email text, _secret text);
CREATE TABLE billing.invoices (id uuid PRIMARY KEY, total numeric(10,2), line uuid REFERENCES public."Order-Lines" ("$id"));
CREATE TABLE _prisma_migrations (id text PRIMARY KEY);
INSERT INTO "Order-Lines" VALUES ('00000000-0000-4000-8000-000000000001', 3, 'here', ' A@B ', 's');
INSERT INTO billing.invoices VALUES ('00000000-0000-4000-8000-000000000002', 9.50, '00000000-0000-4000-8000-000000000001');
INSERT INTO _prisma_migrations VALUES ('x');
