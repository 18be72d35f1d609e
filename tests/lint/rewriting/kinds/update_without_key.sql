-- == setup
CREATE TABLE lines (a int, b int);
-- == up
UPDATE lines SET b = 0 WHERE b IS NULL;
-- == down
-- It cannot be known which rows had no value.
-- == findings
@1
-- == safe up: replaced
DO $$
DECLARE
    first_page bigint := 0;
    pages bigint;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    pages := pg_relation_size('lines'::regclass) / current_setting('block_size')::bigint;
    WHILE first_page < pages LOOP
        UPDATE lines SET b = 0
        WHERE lines.ctid >= format('(%s,0)', first_page)::tid AND lines.ctid < format('(%s,0)', first_page + 100)::tid
          AND (b IS NULL);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'lines: % rows changed', changed_rows;
        END IF;
        first_page := first_page + 100;
    END LOOP;
END
$$;
-- == safe down
-- Nothing to undo: the files before it undo what it changed.
