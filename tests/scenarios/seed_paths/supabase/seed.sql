INSERT INTO seeds (label) VALUES ('nor this one');
