-- References whose key PostgreSQL calls equal to the row's own, though its text is another.
CREATE TABLE days (at timestamp PRIMARY KEY);
CREATE TABLE logs (id int PRIMARY KEY, day date REFERENCES days, moment timestamptz);
CREATE TABLE terms (id interval PRIMARY KEY);
CREATE TABLE plans (id int PRIMARY KEY, term interval REFERENCES terms, others interval[]);
CREATE TABLE shapes (id jsonb PRIMARY KEY);
CREATE TABLE uses (id int PRIMARY KEY, shape jsonb REFERENCES shapes);
CREATE TABLE marks (id float8 PRIMARY KEY);
CREATE TABLE grades (id int PRIMARY KEY, mark float8 REFERENCES marks, small float4 REFERENCES marks (id));
CREATE TABLE wholes (n numeric, lasts interval, v int, PRIMARY KEY (n, lasts));
CREATE TABLE parts (id int PRIMARY KEY, n int, lasts interval, FOREIGN KEY (n, lasts) REFERENCES wholes);
CREATE TABLE words (word text COLLATE "C" PRIMARY KEY);
CREATE TABLE notes (id int PRIMARY KEY, word text COLLATE "POSIX" REFERENCES words, loose text COLLATE "POSIX");
CREATE TABLE chosen (name jsonb);                                                       -- nothing keeps its key unique
CREATE TABLE choices (id int PRIMARY KEY, name jsonb);
INSERT INTO days VALUES ('2024-01-01'), ('2024-01-02 03:04');
INSERT INTO logs VALUES (1, '2024-01-01', NULL), (2, NULL, '2024-01-02 03:04+00');
INSERT INTO terms VALUES ('1 day'), ('2 days');
INSERT INTO plans VALUES (1, '24:00:00', '{48:00:00,NULL,"1 day"}'), (2, NULL, '{}'), (3, '2 days', '{1 year}');
INSERT INTO shapes VALUES ('{"a": 1.0}');
INSERT INTO uses VALUES (1, '{"a": 1}');
INSERT INTO marks VALUES ('-0'), (0.1), (0.1::float4::float8);
INSERT INTO grades VALUES (1, '0', 0.1), (2, 0.1, '-0');
INSERT INTO wholes VALUES (1.00, '1 mon', 1);
INSERT INTO parts VALUES (1, 1, '30 days'), (2, 1, NULL);
INSERT INTO words VALUES ('a'), ('A');
INSERT INTO notes VALUES (1, 'a', 'A'), (2, 'A', 'b');
INSERT INTO chosen VALUES ('1.0'), ('1');
INSERT INTO choices VALUES (1, '1'), (2, '1.0'), (3, '1.00');
