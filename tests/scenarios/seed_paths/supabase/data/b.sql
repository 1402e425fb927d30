INSERT INTO seeds (label) VALUES ('by its pattern, too');
