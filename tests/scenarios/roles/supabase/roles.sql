CREATE ROLE gardener NOLOGIN;
GRANT gardener TO postgres;
GRANT USAGE ON SCHEMA public TO gardener;
