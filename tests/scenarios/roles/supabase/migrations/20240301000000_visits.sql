CREATE TABLE visits (id int PRIMARY KEY, noted_by text NOT NULL DEFAULT current_user);
GRANT INSERT ON visits TO gardener;
SET ROLE gardener;
INSERT INTO visits (id) VALUES (1);
RESET ROLE;
INSERT INTO visits (id) VALUES (2);
