-- == setup
CREATE TABLE singers (id int PRIMARY KEY);
CREATE TABLE songs (id int PRIMARY KEY);
-- == up
ALTER TABLE songs ADD COLUMN singer_id int REFERENCES singers (id);
-- == down
ALTER TABLE songs DROP COLUMN singer_id;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE songs ADD COLUMN singer_id int;
-- == safe down
ALTER TABLE songs DROP COLUMN singer_id;
-- == safe up: create_songs_singer_id_idx
-- Description: Create songs_singer_id_idx

CREATE INDEX CONCURRENTLY songs_singer_id_idx ON songs (singer_id);
-- == safe down
-- Description: Undo: create songs_singer_id_idx

DROP INDEX CONCURRENTLY songs_singer_id_idx;
-- == safe up: add_songs_singer_id_fkey
-- Description: Add songs_singer_id_fkey

ALTER TABLE songs ADD CONSTRAINT songs_singer_id_fkey FOREIGN KEY (singer_id) REFERENCES singers (id) NOT VALID;
-- == safe down
-- Description: Undo: add songs_singer_id_fkey

ALTER TABLE songs DROP CONSTRAINT songs_singer_id_fkey;
-- == safe up: validate_songs_singer_id_fkey
-- Description: Validate songs_singer_id_fkey

ALTER TABLE songs VALIDATE CONSTRAINT songs_singer_id_fkey;
-- == safe down
-- Description: Undo: validate songs_singer_id_fkey

ALTER TABLE songs DROP CONSTRAINT songs_singer_id_fkey;
ALTER TABLE songs ADD CONSTRAINT songs_singer_id_fkey FOREIGN KEY (singer_id) REFERENCES singers (id) NOT VALID;
