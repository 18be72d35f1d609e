-- == setup
CREATE TABLE events_ (name text PRIMARY KEY);
-- == up
ALTER TABLE events_ ADD COLUMN number bigserial;
-- == down
ALTER TABLE events_ DROP COLUMN number;
-- == findings
@1
-- == safe up: replaced
CREATE SEQUENCE events__number_seq AS bigint;
ALTER TABLE events_ ADD COLUMN number bigint;
ALTER SEQUENCE events__number_seq OWNED BY events_.number;
ALTER TABLE events_ ALTER COLUMN number SET DEFAULT nextval('events__number_seq');
-- == safe down
ALTER TABLE events_ DROP COLUMN number;
-- == safe up: fill_number_of_events
-- Description: Fill number of events_

DO $$
DECLARE
    first_key events_.name%TYPE;
    last_key events_.name%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT name INTO first_key FROM events_ ORDER BY name LIMIT 1;
    WHILE FOUND LOOP
        SELECT name INTO last_key FROM (
            SELECT name FROM events_ WHERE name >= first_key
            ORDER BY name LIMIT 5000
        ) AS batch ORDER BY name DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE events_
        SET number = DEFAULT
        WHERE events_.name >= first_key AND events_.name <= last_key
          AND (number IS NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'events_: % rows changed', changed_rows;
        END IF;
        SELECT name INTO first_key FROM events_
        WHERE name > last_key ORDER BY name LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: fill number of events_

-- Nothing to undo: the column that the up file fills is dropped by an earlier file.
-- == safe up: add_events_number_not_null_check
-- Description: Add events__number_not_null_check

ALTER TABLE events_ ADD CONSTRAINT events__number_not_null_check CHECK (number IS NOT NULL) NOT VALID;
-- == safe down
-- Description: Undo: add events__number_not_null_check

ALTER TABLE events_ DROP CONSTRAINT events__number_not_null_check;
-- == safe up: validate_events_number_not_null_check
-- Description: Validate events__number_not_null_check

ALTER TABLE events_ VALIDATE CONSTRAINT events__number_not_null_check;
-- == safe down
-- Description: Undo: validate events__number_not_null_check

ALTER TABLE events_ DROP CONSTRAINT events__number_not_null_check;
ALTER TABLE events_ ADD CONSTRAINT events__number_not_null_check CHECK (number IS NOT NULL) NOT VALID;
-- == safe up: require_number_of_events
-- Description: Require number of events_

ALTER TABLE events_ ALTER COLUMN number SET NOT NULL;
ALTER TABLE events_ DROP CONSTRAINT events__number_not_null_check;
-- == safe down
-- Description: Undo: require number of events_
-- migrate: no-transaction

ALTER TABLE events_ ADD CONSTRAINT events__number_not_null_check CHECK (number IS NOT NULL) NOT VALID;
ALTER TABLE events_ VALIDATE CONSTRAINT events__number_not_null_check;
ALTER TABLE events_ ALTER COLUMN number DROP NOT NULL;
