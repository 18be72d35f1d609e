-- == setup
CREATE TABLE keys (id int);
-- == up
ALTER TABLE keys ADD COLUMN name text;
CREATE TABLE locks (id int);
-- == findings
missing-down@0
-- == safe up: replaced
ALTER TABLE keys ADD COLUMN name text;
CREATE TABLE locks (id int);
-- == safe down
-- Description: Undo: replaced

DROP TABLE locks;
ALTER TABLE keys DROP COLUMN name;
