-- == setup
CREATE TABLE orders (region int, id int, total int, PRIMARY KEY (region, id));
CREATE TABLE rates (region int, rate int);
-- == up
ALTER TABLE orders ADD COLUMN cents int;
-- In cents.
UPDATE orders AS o
SET cents = total * rate
FROM rates
WHERE rates.region = o.region OR o.total = 0;
-- == down
ALTER TABLE orders DROP COLUMN cents;
-- == findings
update-with-schema-change@2
-- == safe up: replaced
ALTER TABLE orders ADD COLUMN cents int;
-- == safe down
ALTER TABLE orders DROP COLUMN cents;
-- == safe up: change_rows_of_orders
-- Description: Change rows of orders

-- In cents.
DO $$
DECLARE
    first_1_key orders.region%TYPE;
    first_2_key orders.id%TYPE;
    last_1_key orders.region%TYPE;
    last_2_key orders.id%TYPE;
    batch_rows bigint;
    changed_rows bigint := 0;
    batches bigint := 0;
BEGIN
    SELECT region, id INTO first_1_key, first_2_key FROM orders ORDER BY region, id LIMIT 1;
    WHILE FOUND LOOP
        SELECT region, id INTO last_1_key, last_2_key FROM (
            SELECT region, id FROM orders WHERE (region, id) >= (first_1_key, first_2_key)
            ORDER BY region, id LIMIT 5000
        ) AS batch ORDER BY region DESC, id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE orders AS o
        SET cents = total * rate
        FROM rates
        WHERE (o.region, o.id) >= (first_1_key, first_2_key) AND (o.region, o.id) <= (last_1_key, last_2_key)
          AND (rates.region = o.region OR o.total = 0);
        GET DIAGNOSTICS batch_rows = ROW_COUNT;
        COMMIT;
        changed_rows := changed_rows + batch_rows;
        batches := batches + 1;
        IF batches % 100 = 0 THEN
            RAISE NOTICE 'orders: % rows changed', changed_rows;
        END IF;
        SELECT region, id INTO first_1_key, first_2_key FROM orders
        WHERE (region, id) > (last_1_key, last_2_key) ORDER BY region, id LIMIT 1;
    END LOOP;
END
$$;
-- == safe down
-- Description: Undo: change rows of orders

-- Nothing to undo: the files before it undo what it changed.
