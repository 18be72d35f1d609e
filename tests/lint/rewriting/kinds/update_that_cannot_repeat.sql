-- == setup
CREATE TABLE accounts (id bigint PRIMARY KEY, balance int);
-- == up
UPDATE accounts SET balance = balance * 2;
-- == down
UPDATE accounts SET balance = balance / 2;
-- == findings
@1
-- == safe up: replaced
CREATE TABLE accounts_batches_progress AS
SELECT CAST(NULL AS bigint) AS done_1, id AS until_1
FROM accounts ORDER BY id DESC LIMIT 1;

DO $$
DECLARE
    first_key accounts.id%TYPE;
    last_key accounts.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT id INTO first_key FROM accounts
    WHERE EXISTS (SELECT FROM accounts_batches_progress WHERE done_1 IS NULL) ORDER BY id LIMIT 1;
    IF NOT FOUND THEN
        SELECT id INTO first_key FROM accounts
        WHERE id > (SELECT done_1 FROM accounts_batches_progress) ORDER BY id LIMIT 1;
    END IF;
    WHILE FOUND LOOP
        SELECT id INTO last_key FROM (
            SELECT id FROM accounts WHERE id >= first_key AND id <= (SELECT until_1 FROM accounts_batches_progress)
            ORDER BY id LIMIT 5000
        ) AS batch ORDER BY id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE accounts SET balance = balance * 2
        WHERE accounts.id >= first_key AND accounts.id <= last_key;
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        UPDATE accounts_batches_progress SET done_1 = last_key;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'accounts: % rows changed', changed_rows;
        END IF;
        SELECT id INTO first_key FROM accounts
        WHERE id > last_key ORDER BY id LIMIT 1;
    END LOOP;
END
$$;

DROP TABLE accounts_batches_progress;
-- == safe down
UPDATE accounts SET balance = balance / 2;
