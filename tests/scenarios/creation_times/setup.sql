-- _creationTime: the creation column; NULL, infinite or not above 1970; another column; none.
CREATE TABLE usual (id int PRIMARY KEY, created_at timestamptz, updated_at timestamptz);
INSERT INTO usual VALUES (1, '2024-01-01 00:00:00.000001+00', NULL), (2, NULL, '2023-06-01 00:00+00'), (3, NULL, NULL),
  (4, 'infinity', NULL), (5, '1969-12-31 00:00+00', NULL), (6, '-infinity', '2023-06-02 00:00+00');
CREATE TABLE other (id int PRIMARY KEY, registered date NOT NULL);
INSERT INTO other VALUES (1, '2024-05-01');
CREATE TABLE none (id int PRIMARY KEY);
INSERT INTO none VALUES (1), (2);
CREATE TABLE only_nulls (id int PRIMARY KEY, created_at timestamp);
INSERT INTO only_nulls VALUES (1, NULL);
