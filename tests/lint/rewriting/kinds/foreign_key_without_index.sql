-- == setup
CREATE TABLE towns (id int PRIMARY KEY);
CREATE TABLE streets (id int PRIMARY KEY, town_id int);
-- == up
ALTER TABLE streets ADD CONSTRAINT in_town FOREIGN KEY (town_id) REFERENCES towns NOT VALID;
-- == down
ALTER TABLE streets DROP CONSTRAINT in_town;
-- == findings
foreign-key-without-index@1:0
-- == safe up: replaced
CREATE INDEX CONCURRENTLY streets_town_id_idx ON streets (town_id);
-- == safe down
DROP INDEX CONCURRENTLY streets_town_id_idx;
-- == safe up: add_in_town
-- Description: Add in_town

ALTER TABLE streets ADD CONSTRAINT in_town FOREIGN KEY (town_id) REFERENCES towns NOT VALID;
-- == safe down
-- Description: Undo: add in_town

ALTER TABLE streets DROP CONSTRAINT in_town;
