INSERT INTO seeds (label) VALUES ('named first');
