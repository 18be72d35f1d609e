-- == setup
CREATE TABLE pages (id int PRIMARY KEY);
CREATE TABLE hits (id int, day int, page_id int) PARTITION BY RANGE (day);
CREATE TABLE hits_1 PARTITION OF hits FOR VALUES FROM (0) TO (10);
CREATE INDEX hits_page_id_idx ON hits (page_id);
-- == up
ALTER TABLE hits ADD FOREIGN KEY (page_id) REFERENCES pages;
-- == down
ALTER TABLE hits DROP CONSTRAINT hits_page_id_fkey;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE hits ADD CONSTRAINT hits_page_id_fkey FOREIGN KEY (page_id) REFERENCES pages NOT VALID;
-- == safe down
ALTER TABLE hits DROP CONSTRAINT hits_page_id_fkey;
-- == safe up: validate_hits_page_id_fkey
-- Description: Validate hits_page_id_fkey

ALTER TABLE hits VALIDATE CONSTRAINT hits_page_id_fkey;
-- == safe down
-- Description: Undo: validate hits_page_id_fkey

ALTER TABLE hits DROP CONSTRAINT hits_page_id_fkey;
ALTER TABLE hits ADD CONSTRAINT hits_page_id_fkey FOREIGN KEY (page_id) REFERENCES pages NOT VALID;
