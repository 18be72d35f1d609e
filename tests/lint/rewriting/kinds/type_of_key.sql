-- == setup
CREATE TABLE tickets (id serial PRIMARY KEY, title text);
-- == up
ALTER TABLE tickets ALTER COLUMN id TYPE bigint;
-- == down
ALTER TABLE tickets ALTER COLUMN id TYPE int;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE tickets ADD COLUMN id_new bigint;
ALTER TABLE tickets ADD CONSTRAINT tickets_id_new_not_null_check CHECK (id_new IS NOT NULL) NOT VALID;

CREATE FUNCTION zz_tickets_id_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id_new := NEW.id;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_tickets_id_copy BEFORE INSERT OR UPDATE ON tickets
    FOR EACH ROW EXECUTE FUNCTION zz_tickets_id_copy();
-- == safe down
DROP TRIGGER zz_tickets_id_copy ON tickets;
DROP FUNCTION zz_tickets_id_copy();
ALTER TABLE tickets DROP COLUMN id_new;
-- == safe up: fill_id_new_of_tickets
-- Description: Fill id_new of tickets

DO $$
DECLARE
    first_key tickets.id%TYPE;
    last_key tickets.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM tickets ORDER BY id LIMIT 1;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM tickets WHERE id >= first_key
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE tickets
        SET id_new = id
        WHERE tickets.id >= first_key AND tickets.id <= last_key
          AND (id_new IS NULL AND id IS NOT NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'tickets: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM tickets
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: fill id_new of tickets

-- Nothing to undo: the column that the up file fills is dropped by an earlier file.
-- == safe up: validate_tickets_id_new_not_null_check
-- Description: Validate tickets_id_new_not_null_check

ALTER TABLE tickets VALIDATE CONSTRAINT tickets_id_new_not_null_check;
-- == safe down
-- Description: Undo: validate tickets_id_new_not_null_check

ALTER TABLE tickets DROP CONSTRAINT tickets_id_new_not_null_check;
ALTER TABLE tickets ADD CONSTRAINT tickets_id_new_not_null_check CHECK (id_new IS NOT NULL) NOT VALID;
-- == safe up: create_tickets_pkey_new
-- Description: Create tickets_pkey_new

CREATE UNIQUE INDEX CONCURRENTLY tickets_pkey_new ON tickets USING btree (id_new);
-- == safe down
-- Description: Undo: create tickets_pkey_new

DROP INDEX CONCURRENTLY tickets_pkey_new;
-- == safe up: exchange_id_of_tickets
-- Description: Exchange id of tickets
-- migrate: after-deploy

DROP TRIGGER zz_tickets_id_copy ON tickets;
DROP FUNCTION zz_tickets_id_copy();
ALTER SEQUENCE public.tickets_id_seq OWNED BY tickets.id_new;
ALTER TABLE tickets DROP COLUMN id;
ALTER TABLE tickets RENAME COLUMN id_new TO id;
ALTER TABLE tickets ALTER COLUMN id SET NOT NULL;
ALTER TABLE tickets DROP CONSTRAINT tickets_id_new_not_null_check;
ALTER TABLE tickets ALTER COLUMN id SET DEFAULT nextval('public.tickets_id_seq'::regclass);
ALTER TABLE tickets ADD CONSTRAINT tickets_pkey PRIMARY KEY USING INDEX tickets_pkey_new;
-- == safe down
-- Description: Undo: exchange id of tickets

-- It keeps out the application while it writes all rows.
ALTER TABLE tickets RENAME COLUMN id TO id_new;
ALTER TABLE tickets DROP CONSTRAINT tickets_pkey;
CREATE UNIQUE INDEX tickets_pkey_new ON tickets USING btree (id_new);
ALTER TABLE tickets ALTER COLUMN id_new DROP NOT NULL;
ALTER TABLE tickets ADD CONSTRAINT tickets_id_new_not_null_check CHECK (id_new IS NOT NULL);
ALTER TABLE tickets ALTER COLUMN id_new DROP DEFAULT;
ALTER TABLE tickets ADD COLUMN id integer;
UPDATE tickets SET id = id_new;
ALTER TABLE tickets ALTER COLUMN id SET NOT NULL;
ALTER TABLE tickets ALTER COLUMN id SET DEFAULT nextval('public.tickets_id_seq'::regclass);
ALTER SEQUENCE public.tickets_id_seq OWNED BY tickets.id;
ALTER TABLE tickets ADD CONSTRAINT tickets_pkey PRIMARY KEY (id);

CREATE FUNCTION zz_tickets_id_copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id_new := NEW.id;
    RETURN NEW;
END
$$;

CREATE TRIGGER zz_tickets_id_copy BEFORE INSERT OR UPDATE ON tickets
    FOR EACH ROW EXECUTE FUNCTION zz_tickets_id_copy();
