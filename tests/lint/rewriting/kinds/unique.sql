-- == setup
CREATE TABLE seats (id int PRIMARY KEY, room int NOT NULL, place int);
-- == up
ALTER TABLE seats ADD UNIQUE NULLS NOT DISTINCT (room, place) INCLUDE (id) WITH (fillfactor = 70) DEFERRABLE;
-- == down
ALTER TABLE seats DROP CONSTRAINT seats_room_place_id_key;
-- == findings
@1
-- == safe up: replaced
CREATE UNIQUE INDEX CONCURRENTLY seats_room_place_id_key ON seats (room, place) INCLUDE (id) NULLS NOT DISTINCT WITH (fillfactor = 70);
ALTER TABLE seats ADD CONSTRAINT seats_room_place_id_key UNIQUE USING INDEX seats_room_place_id_key DEFERRABLE;
-- == safe down
ALTER TABLE seats DROP CONSTRAINT seats_room_place_id_key;
