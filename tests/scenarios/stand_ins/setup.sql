-- Types and functions that the embedded PostgreSQL does not have, and a hash that is true.
create extension timescaledb;
create extension if not exists pgcrypto with schema extensions;
create schema if not exists gis;
create extension postgis schema gis;
create table public.things (id uuid primary key, what odd_thing(3) not null, name text, token text default encode(extensions.digest('a','sha1'),'hex'),
  made odd_thing generated always as (odd_function(name)) stored);
create table public.places (id int primary key, at gis.geography(Point,4326), spot gis.geography generated always as (gis.st_makepoint(1,2)::gis.geography) stored);
insert into public.things (id, what, name) values ('00000000-0000-4000-8000-000000000001', 'x', 'n');
insert into public.places (id, at) values (1, 'POINT(1 2)');
