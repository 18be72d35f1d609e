-- == setup
CREATE TABLE shelves (id int PRIMARY KEY, room text);
CREATE INDEX shelves_room_idx ON shelves (room, id);
-- == up
CREATE TABLE rooms (id int);
CREATE INDEX ON shelves (room);
ALTER TABLE shelves ADD COLUMN width int;
-- == down
ALTER TABLE shelves DROP COLUMN width;
DROP INDEX shelves_room_idx1;
DROP TABLE rooms;
-- == findings
@2
-- == safe up: replaced
CREATE TABLE rooms (id int);
-- == safe down
DROP TABLE rooms;
-- == safe up: create_shelves_room_idx1
-- Description: Create shelves_room_idx1

CREATE INDEX CONCURRENTLY shelves_room_idx1 ON shelves (room);
-- == safe down
-- Description: Undo: create shelves_room_idx1

DROP INDEX CONCURRENTLY shelves_room_idx1;
-- == safe up: alter_table_shelves_add_column_width_int
-- Description: ALTER TABLE shelves ADD COLUMN width int

ALTER TABLE shelves ADD COLUMN width int;
-- == safe down
-- Description: Undo: ALTER TABLE shelves ADD COLUMN width int

ALTER TABLE shelves DROP COLUMN width;
