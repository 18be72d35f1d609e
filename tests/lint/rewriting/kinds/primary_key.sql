-- == setup
CREATE TABLE tags (name text, kind int NOT NULL);
-- == up
ALTER TABLE tags ADD PRIMARY KEY (kind, name);
-- == down
ALTER TABLE tags DROP CONSTRAINT tags_pkey;
ALTER TABLE tags ALTER COLUMN name DROP NOT NULL;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE tags ADD CONSTRAINT tags_name_not_null_check CHECK (name IS NOT NULL) NOT VALID;
-- == safe down
ALTER TABLE tags DROP CONSTRAINT tags_name_not_null_check;
-- == safe up: validate_tags_name_not_null_check
-- Description: Validate tags_name_not_null_check

ALTER TABLE tags VALIDATE CONSTRAINT tags_name_not_null_check;
-- == safe down
-- Description: Undo: validate tags_name_not_null_check

ALTER TABLE tags DROP CONSTRAINT tags_name_not_null_check;
ALTER TABLE tags ADD CONSTRAINT tags_name_not_null_check CHECK (name IS NOT NULL) NOT VALID;
-- == safe up: require_name_of_tags
-- Description: Require name of tags

ALTER TABLE tags ALTER COLUMN name SET NOT NULL;
ALTER TABLE tags DROP CONSTRAINT tags_name_not_null_check;
-- == safe down
-- Description: Undo: require name of tags
-- migrate: no-transaction

ALTER TABLE tags ADD CONSTRAINT tags_name_not_null_check CHECK (name IS NOT NULL) NOT VALID;
ALTER TABLE tags VALIDATE CONSTRAINT tags_name_not_null_check;
ALTER TABLE tags ALTER COLUMN name DROP NOT NULL;
-- == safe up: add_tags_pkey
-- Description: Add tags_pkey

CREATE UNIQUE INDEX CONCURRENTLY tags_pkey ON tags (kind, name);
ALTER TABLE tags ADD CONSTRAINT tags_pkey PRIMARY KEY USING INDEX tags_pkey;
-- == safe down
-- Description: Undo: add tags_pkey

ALTER TABLE tags DROP CONSTRAINT tags_pkey;
