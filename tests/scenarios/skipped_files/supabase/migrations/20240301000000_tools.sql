CREATE TABLE tools (id int PRIMARY KEY, name text NOT NULL, serial text);
INSERT INTO tools VALUES (1, 'spade', 'S-1');
