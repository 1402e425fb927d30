CREATE TABLE public.beds (id uuid PRIMARY KEY, garden uuid NOT NULL REFERENCES public.gardens (id), width int);
ALTER TABLE public.gardens ADD COLUMN open boolean NOT NULL DEFAULT true;
INSERT INTO public.beds VALUES ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-000000000001', 3);
