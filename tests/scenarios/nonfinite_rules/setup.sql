-- Numbers that are kept although they are not finite still have to keep the field's rules: NaN is not at least 0.
CREATE TABLE measures (id int PRIMARY KEY, n float8);
INSERT INTO measures VALUES (1, 'Infinity'), (2, 0), (3, NULL);
INSERT INTO measures VALUES (4, 'NaN'), (5, '-Infinity');
