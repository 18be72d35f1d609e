-- == setup
CREATE TABLE cars (id int PRIMARY KEY, colour text, old text);
-- == up
CREATE TABLE wheels (id int);
ALTER TABLE cars DROP COLUMN old, ADD COLUMN doors int;
DROP TABLE IF EXISTS horses;
-- == down
ALTER TABLE cars DROP COLUMN doors, ADD COLUMN old text;
DROP TABLE wheels;
-- == findings
@2:0 @3
-- == safe up: replaced
CREATE TABLE wheels (id int);
-- == safe down
DROP TABLE wheels;
-- == safe up: drop_column_old_of_cars
-- Description: DROP COLUMN old of cars
-- migrate: after-deploy

ALTER TABLE cars DROP COLUMN old;
-- == safe down
-- Description: Undo: DROP COLUMN old of cars

ALTER TABLE cars ADD COLUMN old text;
-- == safe up: add_column_doors_int_of_cars
-- Description: ADD COLUMN doors int of cars

ALTER TABLE cars ADD COLUMN doors int;
-- == safe down
-- Description: Undo: ADD COLUMN doors int of cars

ALTER TABLE cars DROP COLUMN doors;
-- == safe up: drop_table_horses
-- Description: DROP TABLE horses
-- migrate: after-deploy

DROP TABLE IF EXISTS horses;
-- == safe down
-- Description: Undo: DROP TABLE horses

-- Nothing to undo: the files before it undo what it changed.
