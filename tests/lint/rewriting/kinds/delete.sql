-- == setup
CREATE TABLE sessions (id uuid PRIMARY KEY, at timestamptz);
-- == up
DELETE FROM sessions WHERE at < '2020-01-01';
-- == down
-- migrate: irreversible the sessions are gone
-- == findings
@1
-- == safe up: replaced
DO $$
DECLARE
    first_key sessions.id%TYPE;
    last_key sessions.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM sessions ORDER BY id LIMIT 1;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM sessions WHERE id >= first_key
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        DELETE FROM sessions
        WHERE sessions.id >= first_key AND sessions.id <= last_key
          AND (at < '2020-01-01');
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'sessions: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM sessions
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- migrate: irreversible the sessions are gone
