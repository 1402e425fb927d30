-- A key that is met in a table and in one that inherits from it: PostgreSQL keeps it unique in each of them alone.
CREATE TABLE cities (id int PRIMARY KEY, name text);
CREATE TABLE capitals (country text, PRIMARY KEY (id)) INHERITS (cities);
CREATE TABLE visits (id int PRIMARY KEY, city int REFERENCES cities (id));
INSERT INTO cities VALUES (1, 'Bandung'), (2, 'Surabaya');
INSERT INTO capitals VALUES (2, 'Jakarta', 'ID'), (3, 'Manila', 'PH');
INSERT INTO visits VALUES (1, 1), (2, 2);
