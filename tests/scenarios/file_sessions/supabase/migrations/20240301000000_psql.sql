\restrict 8sKq2
\set ON_ERROR_STOP 1
\set kind herb
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.plants (id int PRIMARY KEY, name text NOT NULL, kind text, cents int DEFAULT 0, owner uuid);
COPY public.plants (
  id,
  name
) FROM stdin WITH (FORMAT csv, HEADER, NULL '-');
id,name
1,"Thyme, wild"
\.
\echo 'one by one'
INSERT INTO public.plants (id, name, kind) VALUES (2, 'Sage', :'kind');
\unrestrict 8sKq2
