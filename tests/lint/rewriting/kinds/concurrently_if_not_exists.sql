-- == setup
CREATE TABLE pens (id int, colour text);
-- == up
CREATE INDEX CONCURRENTLY IF NOT EXISTS pens_colour_idx ON pens (colour);
-- == down
DROP INDEX CONCURRENTLY pens_colour_idx;
-- == findings
concurrently-if-not-exists@1
-- == safe up: replaced
CREATE INDEX CONCURRENTLY pens_colour_idx ON pens (colour);
-- == safe down
DROP INDEX CONCURRENTLY pens_colour_idx;
