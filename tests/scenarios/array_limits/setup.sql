-- Arrays that don't go, where no neighbour's kind of value has every row looked at: by shape, NULL, length and rule.
CREATE TABLE tags (id int PRIMARY KEY);
INSERT INTO tags VALUES (1), (2);
CREATE TABLE rows (id int PRIMARY KEY, tags int[], words text[], flags bool[], moods text[], few int[], levels int[]);
INSERT INTO rows VALUES (1, '{1,2}', '{{a,b},{c,d}}', '{{t},{f}}', '{{x}}', '[5:6]={1,2}', '{{1,2}}');
INSERT INTO rows VALUES (2, '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO rows (id, tags) VALUES (3, '{{1},{2}}');
INSERT INTO rows (id, tags) SELECT 4, array_agg(1) FROM generate_series(1, 8193);
INSERT INTO rows (id, words) VALUES (5, '{{a,NULL}}'), (6, '{a}');
INSERT INTO rows (id, words) SELECT 7, ARRAY[array_agg('a'::text)] FROM generate_series(1, 8193);
INSERT INTO rows (id, flags) VALUES (8, '{{NULL}}');
INSERT INTO rows (id, moods) VALUES (9, '{{y}}');
INSERT INTO rows (id, levels) VALUES (10, '{{1,3}}');
