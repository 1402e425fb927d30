-- No primary key: supavex.toml chooses what tells rows apart. A NULL in it, and rows that share it, are rejected.
CREATE TABLE visits (person text, day date, note text);
INSERT INTO visits VALUES ('a', '2024-01-01', 'one'), ('a', '2024-01-02', 'two'), (NULL, '2024-01-01', 'nobody'),
  ('b', '2024-01-01', 'twice'), ('b', '2024-01-01', 'twice again');
CREATE TABLE tokens (token uuid, note text);
INSERT INTO tokens VALUES ('00000000-0000-4000-8000-000000000001', 'x'), (NULL, 'y'),
  ('00000000-0000-4000-8000-000000000002', 'z'), ('00000000-0000-4000-8000-000000000002', 'z');
