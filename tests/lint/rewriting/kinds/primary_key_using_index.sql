-- == setup
CREATE TABLE berths (place int);
CREATE UNIQUE INDEX berths_place ON berths (place);
-- == up
ALTER TABLE berths ADD CONSTRAINT berths_pkey PRIMARY KEY USING INDEX berths_place;
-- == down
ALTER TABLE berths DROP CONSTRAINT berths_pkey;
ALTER TABLE berths ALTER COLUMN place DROP NOT NULL;
CREATE UNIQUE INDEX berths_place ON berths (place);
-- == findings
@1:0
-- == safe up: replaced
ALTER TABLE berths ADD CONSTRAINT berths_place_not_null_check CHECK (place IS NOT NULL) NOT VALID;
-- == safe down
ALTER TABLE berths DROP CONSTRAINT berths_place_not_null_check;
-- == safe up: validate_berths_place_not_null_check
-- Description: Validate berths_place_not_null_check

ALTER TABLE berths VALIDATE CONSTRAINT berths_place_not_null_check;
-- == safe down
-- Description: Undo: validate berths_place_not_null_check

ALTER TABLE berths DROP CONSTRAINT berths_place_not_null_check;
ALTER TABLE berths ADD CONSTRAINT berths_place_not_null_check CHECK (place IS NOT NULL) NOT VALID;
-- == safe up: require_place_of_berths
-- Description: Require place of berths

ALTER TABLE berths ALTER COLUMN place SET NOT NULL;
ALTER TABLE berths DROP CONSTRAINT berths_place_not_null_check;
-- == safe down
-- Description: Undo: require place of berths
-- migrate: no-transaction

ALTER TABLE berths ADD CONSTRAINT berths_place_not_null_check CHECK (place IS NOT NULL) NOT VALID;
ALTER TABLE berths VALIDATE CONSTRAINT berths_place_not_null_check;
ALTER TABLE berths ALTER COLUMN place DROP NOT NULL;
-- == safe up: add_berths_pkey
-- Description: Add berths_pkey

ALTER TABLE berths ADD CONSTRAINT berths_pkey PRIMARY KEY USING INDEX berths_place;
-- == safe down
-- Description: Undo: add berths_pkey

ALTER TABLE berths DROP CONSTRAINT berths_pkey;
CREATE UNIQUE INDEX berths_place ON berths (place);
