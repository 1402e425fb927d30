-- The tables that no migration makes, as a dump has them; the migrations need them.
CREATE TABLE public.gardens (id uuid PRIMARY KEY, title text NOT NULL);
INSERT INTO public.gardens VALUES ('00000000-0000-4000-8000-000000000001', 'North');
