-- == setup
CREATE TABLE dogs (id int);
CREATE TABLE birds (id int);
-- == up
ALTER TABLE dogs ADD COLUMN name text;
ALTER TABLE birds ADD COLUMN name text;
ALTER TABLE birds ADD COLUMN kind text;
-- == down
ALTER TABLE birds DROP COLUMN kind;
ALTER TABLE birds DROP COLUMN name;
ALTER TABLE dogs DROP COLUMN name;
-- == findings
several-exclusive-locks@2
-- == safe up: replaced
ALTER TABLE dogs ADD COLUMN name text;
-- == safe down
ALTER TABLE dogs DROP COLUMN name;
-- == safe up: alter_table_birds_add_column_name_text
-- Description: ALTER TABLE birds ADD COLUMN name text

ALTER TABLE birds ADD COLUMN name text;
ALTER TABLE birds ADD COLUMN kind text;
-- == safe down
-- Description: Undo: ALTER TABLE birds ADD COLUMN name text

ALTER TABLE birds DROP COLUMN kind;
ALTER TABLE birds DROP COLUMN name;
