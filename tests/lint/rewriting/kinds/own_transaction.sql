-- == setup
CREATE TABLE logs (id int);
-- == up
BEGIN;
SET LOCAL search_path = public;
ALTER TABLE logs ADD COLUMN at timestamptz;

-- For the newest.
CREATE INDEX logs_at_idx ON logs (at); -- not unique
COMMIT;
-- == down
BEGIN;
DROP INDEX logs_at_idx;
ALTER TABLE logs DROP COLUMN at;
COMMIT;
-- == findings
@3
-- == safe up: replaced
SET LOCAL search_path = public;
ALTER TABLE logs ADD COLUMN at timestamptz;
-- == safe down
SET LOCAL search_path = public;
ALTER TABLE logs DROP COLUMN at;
-- == safe up: create_logs_at_idx
-- Description: Create logs_at_idx

SET search_path = public;
-- For the newest.
-- not unique
CREATE INDEX CONCURRENTLY logs_at_idx ON logs (at);

-- == safe down
-- Description: Undo: create logs_at_idx

SET search_path = public;
DROP INDEX CONCURRENTLY logs_at_idx;
