-- == setup
CREATE TABLE desks (id int, room text);
CREATE INDEX desks_room_idx ON desks (room) WHERE id > 5;
-- == up
DROP INDEX desks_room_idx;
-- == down
CREATE INDEX desks_room_idx ON desks (room) WHERE id > 5;
-- == findings
@1
-- == safe up: replaced
DROP INDEX CONCURRENTLY desks_room_idx;
-- == safe down
CREATE INDEX CONCURRENTLY desks_room_idx ON public.desks USING btree (room) WHERE (id > 5);
