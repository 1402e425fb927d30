-- NULL: filled from a default, left out, kept as null.
CREATE TABLE t (id int PRIMARY KEY, a text, b int, c boolean, d jsonb, e text[], f text, g text, h timestamptz, "Zed" text);
INSERT INTO t (id) VALUES (1);
INSERT INTO t VALUES (2, 'x', 1, true, '{}', '{}', 'f', 'g', '2024-01-01 00:00+00', 'z');
CREATE TABLE empty (id int PRIMARY KEY);
