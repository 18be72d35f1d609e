-- == setup
CREATE TABLE guests (id int PRIMARY KEY, name text);
-- == up
ALTER TABLE guests ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE;
-- == down
ALTER TABLE guests DROP COLUMN token;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE guests ADD COLUMN token uuid;
ALTER TABLE guests ALTER COLUMN token SET DEFAULT gen_random_uuid();
-- == safe down
ALTER TABLE guests DROP COLUMN token;
-- == safe up: fill_token_of_guests
-- Description: Fill token of guests

DO $$
DECLARE
    first_key guests.id%TYPE;
    last_key guests.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM guests ORDER BY id LIMIT 1;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM guests WHERE id >= first_key
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE guests
        SET token = DEFAULT
        WHERE guests.id >= first_key AND guests.id <= last_key
          AND (token IS NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'guests: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM guests
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: fill token of guests

-- Nothing to undo: the column that the up file fills is dropped by an earlier file.
-- == safe up: add_guests_token_not_null_check
-- Description: Add guests_token_not_null_check

ALTER TABLE guests ADD CONSTRAINT guests_token_not_null_check CHECK (token IS NOT NULL) NOT VALID;
-- == safe down
-- Description: Undo: add guests_token_not_null_check

ALTER TABLE guests DROP CONSTRAINT guests_token_not_null_check;
-- == safe up: validate_guests_token_not_null_check
-- Description: Validate guests_token_not_null_check

ALTER TABLE guests VALIDATE CONSTRAINT guests_token_not_null_check;
-- == safe down
-- Description: Undo: validate guests_token_not_null_check

ALTER TABLE guests DROP CONSTRAINT guests_token_not_null_check;
ALTER TABLE guests ADD CONSTRAINT guests_token_not_null_check CHECK (token IS NOT NULL) NOT VALID;
-- == safe up: require_token_of_guests
-- Description: Require token of guests

ALTER TABLE guests ALTER COLUMN token SET NOT NULL;
ALTER TABLE guests DROP CONSTRAINT guests_token_not_null_check;
-- == safe down
-- Description: Undo: require token of guests
-- migrate: no-transaction

ALTER TABLE guests ADD CONSTRAINT guests_token_not_null_check CHECK (token IS NOT NULL) NOT VALID;
ALTER TABLE guests VALIDATE CONSTRAINT guests_token_not_null_check;
ALTER TABLE guests ALTER COLUMN token DROP NOT NULL;
-- == safe up: add_guests_token_key
-- Description: Add guests_token_key

CREATE UNIQUE INDEX CONCURRENTLY guests_token_key ON guests (token);
ALTER TABLE guests ADD CONSTRAINT guests_token_key UNIQUE USING INDEX guests_token_key;
-- == safe down
-- Description: Undo: add guests_token_key

ALTER TABLE guests DROP CONSTRAINT guests_token_key;
