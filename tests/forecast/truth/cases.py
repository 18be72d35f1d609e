"""Common statements of migrations, on the tables of schema.sql; `before` is committed before each of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TruthCase:
    """A statement, what was done before it, and the first major version that has it."""

    statement: str
    before: tuple[str, ...] = ()
    since: int = 14


CASES = (
    TruthCase("ALTER TABLE customers ADD COLUMN age integer"),
    TruthCase("ALTER TABLE customers ADD COLUMN age integer NOT NULL DEFAULT 1"),
    TruthCase("ALTER TABLE customers ADD COLUMN token uuid DEFAULT gen_random_uuid()"),
    TruthCase("ALTER TABLE customers ADD COLUMN lower_city text GENERATED ALWAYS AS (lower(city)) STORED"),
    TruthCase("ALTER TABLE customers ADD COLUMN number serial"),
    TruthCase("ALTER TABLE customers DROP COLUMN joined"),
    TruthCase("ALTER TABLE customers DROP COLUMN email"),
    TruthCase("ALTER TABLE customers RENAME COLUMN joined TO since"),
    TruthCase("ALTER TABLE products RENAME TO goods"),
    TruthCase("ALTER TABLE customers ALTER COLUMN name TYPE varchar(80)"),
    TruthCase("ALTER TABLE customers ALTER COLUMN name TYPE text"),
    TruthCase("ALTER TABLE customers ALTER COLUMN name TYPE varchar(39)"),
    TruthCase("ALTER TABLE products ALTER COLUMN price TYPE bigint"),
    TruthCase("ALTER TABLE products ALTER COLUMN code TYPE integer USING code::integer"),
    TruthCase("ALTER TABLE customers ALTER COLUMN joined SET DEFAULT now()"),
    TruthCase("ALTER TABLE customers ALTER COLUMN name DROP NOT NULL"),
    TruthCase("ALTER TABLE orders ALTER COLUMN state SET NOT NULL"),
    TruthCase(
        "ALTER TABLE customers ALTER COLUMN email SET NOT NULL", ("ALTER TABLE customers VALIDATE CONSTRAINT email_present",)
    ),
    TruthCase("ALTER TABLE customers VALIDATE CONSTRAINT email_present"),
    TruthCase("ALTER TABLE products ADD CHECK (price < 1000000000)"),
    TruthCase("ALTER TABLE products ADD CONSTRAINT cheap CHECK (price < 100) NOT VALID"),
    TruthCase("ALTER TABLE products DROP CONSTRAINT products_price_check"),
    TruthCase("ALTER TABLE lines ADD FOREIGN KEY (product) REFERENCES products"),
    TruthCase("ALTER TABLE lines ADD CONSTRAINT lines_product FOREIGN KEY (product) REFERENCES products NOT VALID"),
    TruthCase(
        "ALTER TABLE lines VALIDATE CONSTRAINT lines_product",
        ("ALTER TABLE lines ADD CONSTRAINT lines_product FOREIGN KEY (product) REFERENCES products NOT VALID",),
    ),
    TruthCase("ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey"),
    TruthCase("ALTER TABLE products ADD UNIQUE (code)"),
    TruthCase("ALTER TABLE customers ADD CONSTRAINT email_unique UNIQUE USING INDEX customers_email_idx"),
    TruthCase("ALTER TABLE tickets ADD PRIMARY KEY (number)"),
    TruthCase("ALTER TABLE customers SET (fillfactor = 70)"),
    TruthCase("ALTER TABLE customers ALTER COLUMN city SET STATISTICS 500"),
    TruthCase("ALTER TABLE customers SET UNLOGGED", ("ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey",)),
    TruthCase("ALTER TABLE customers ENABLE ROW LEVEL SECURITY"),
    TruthCase("ALTER TABLE products DISABLE TRIGGER products_noted"),
    TruthCase("ALTER TABLE orders REPLICA IDENTITY FULL"),
    TruthCase("ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"),
    TruthCase("ALTER TABLE events DETACH PARTITION events_2024"),
    TruthCase("ALTER TABLE events ADD COLUMN size integer"),
    TruthCase("CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')"),
    TruthCase("CREATE TABLE payments (id integer PRIMARY KEY, order_id bigint REFERENCES orders)"),
    TruthCase("CREATE TABLE copied AS SELECT * FROM products"),
    TruthCase("CREATE INDEX ON orders (amount)"),
    TruthCase("CREATE INDEX ON events (kind)"),
    TruthCase("DROP INDEX customers_city_idx"),
    TruthCase("ALTER INDEX customers_city_idx RENAME TO customers_by_city"),
    TruthCase("REINDEX INDEX customers_city_idx"),
    TruthCase("REINDEX TABLE customers"),
    TruthCase("CLUSTER orders USING orders_customer_idx"),
    TruthCase("CREATE TRIGGER noted AFTER INSERT ON tickets FOR EACH STATEMENT EXECUTE FUNCTION note_product()"),
    TruthCase("DROP TRIGGER products_noted ON products"),
    TruthCase("CREATE VIEW cheap AS SELECT * FROM products WHERE price < 10"),
    TruthCase(
        "CREATE OR REPLACE VIEW cities AS SELECT city, count(*) AS customers FROM customers WHERE city <> '' GROUP BY city"
    ),
    TruthCase("DROP VIEW cities"),
    TruthCase("REFRESH MATERIALIZED VIEW totals"),
    TruthCase("REFRESH MATERIALIZED VIEW CONCURRENTLY totals"),
    TruthCase("CREATE POLICY own ON customers USING (true)"),
    TruthCase("GRANT SELECT ON customers TO PUBLIC"),
    TruthCase("COMMENT ON TABLE customers IS 'who buys'"),
    TruthCase("CREATE STATISTICS customers_places ON city, name FROM customers"),
    TruthCase("ANALYZE customers"),
    TruthCase("ALTER SEQUENCE ticket_numbers RESTART"),
    TruthCase("ALTER SEQUENCE ticket_numbers AS bigint INCREMENT BY 2"),
    TruthCase("ALTER TYPE mood ADD VALUE 'tired'"),
    TruthCase("ALTER TYPE mood RENAME VALUE 'busy' TO 'hectic'"),
    TruthCase("DROP TABLE lines"),
    TruthCase("DROP TABLE audit"),
    TruthCase("TRUNCATE lines"),
    TruthCase("TRUNCATE customers CASCADE"),
    TruthCase("LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE"),
    TruthCase("UPDATE orders SET note = 'x'"),
    TruthCase("UPDATE orders SET note = 'x' WHERE id = 7"),
    TruthCase("UPDATE customers SET city = 'x' WHERE city = 'city 7'"),
    TruthCase("UPDATE orders SET note = c.name FROM customers c WHERE c.id = orders.customer_id"),
    TruthCase("UPDATE products SET price = 1 WHERE id = 7"),
    TruthCase("DELETE FROM lines WHERE order_id = 7"),
    TruthCase("DELETE FROM orders WHERE id = 7"),
    TruthCase("DELETE FROM audit"),
    TruthCase("DELETE FROM customers WHERE city = 'city 7' AND id = 7", ("DELETE FROM orders WHERE customer_id = 7",)),
    TruthCase("UPDATE orders SET customer_id = 7 WHERE note IS NULL"),
    TruthCase("UPDATE products SET price = 0 WHERE code = 'none' OR price = 1000"),
    TruthCase("INSERT INTO lines SELECT id, 5, 1 FROM orders WHERE note IS NULL"),
    TruthCase("INSERT INTO orders (customer_id) VALUES (7)"),
    TruthCase("INSERT INTO tickets (title) SELECT name FROM customers"),
    TruthCase("INSERT INTO products VALUES (7, 'x', 1) ON CONFLICT (id) DO UPDATE SET code = excluded.code"),
    TruthCase("SELECT * FROM orders WHERE id = 7 FOR UPDATE"),
    TruthCase("DO $$ BEGIN UPDATE orders SET note = 'y' WHERE amount > 100; ALTER TABLE tickets ADD COLUMN done boolean; END $$"),
    TruthCase("DO $$ BEGIN EXECUTE 'TRUNCATE audit'; END $$"),
)
"""More may be added: each is measured, and compared with the forecast."""
