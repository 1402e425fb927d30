INSERT INTO seeds (label) VALUES ('no path names this file');
