-- Texts that are too long: cut where that is asked for, else their row is rejected.
CREATE TABLE posts (id int PRIMARY KEY, body text, raw text, code varchar(20));
INSERT INTO posts VALUES
  (1, 'short', 'x', NULL),
  (2, repeat('é🎓', 20), NULL, 'abcdefgh'),
  (3, repeat('"', 2000000), NULL, 'abc'),
  (4, NULL, repeat('x', 1100000), NULL);
