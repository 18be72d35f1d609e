-- == setup
-- Setup
CREATE TABLE cats (id int, nmae text);
-- == up
-- Description: Correct a name

ALTER TABLE cats RENAME COLUMN nmae TO name;
-- == down
ALTER TABLE cats RENAME COLUMN name TO nmae;
-- == findings
@1
-- == safe up: replaced
-- Description: Correct a name
-- migrate: after-deploy

ALTER TABLE cats RENAME COLUMN nmae TO name;
-- == safe down
ALTER TABLE cats RENAME COLUMN name TO nmae;
