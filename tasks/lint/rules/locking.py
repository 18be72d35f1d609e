"""Squawk's rules about locks and the time for which they are kept: https://squawkhq.com/docs/rules."""

from __future__ import annotations

from tasks.lint.rules.building import build
from tasks.lint.rules.reported import is_not_built_as_index, is_read, is_validated, rewrites_table


def _validate(what: str, name: str, definition: str) -> tuple[str, str]:
    """Return the migration that validates a constraint, and takes that back."""
    down = f"ALTER {what} DROP CONSTRAINT {name};\nALTER {what} ADD CONSTRAINT {name} {definition} NOT VALID;\n"
    return f"ALTER {what} VALIDATE CONSTRAINT {name};\n", down


LOCKING_RULES = (
    build(
        "require-concurrent-index-creation",
        "CREATE INDEX keeps out writers until the index is built; CREATE INDEX CONCURRENTLY does not.",
        ("CREATE INDEX orders_total_idx ON orders (total);\n", "DROP INDEX CONCURRENTLY orders_total_idx;\n"),
        ("CREATE INDEX CONCURRENTLY orders_total_idx ON orders (total);\n", "DROP INDEX CONCURRENTLY orders_total_idx;\n"),
        message="CREATE INDEX keeps out the writers of {relation} until the index is built",
        lock=5,
    ),
    build(
        "require-concurrent-index-deletion",
        "DROP INDEX waits for all queries of the table, and all later ones wait behind it; DROP INDEX "
        "CONCURRENTLY keeps none out.",
        ("DROP INDEX orders_customer_id_idx;\n", "CREATE INDEX CONCURRENTLY orders_customer_id_idx ON orders (customer_id);\n"),
        (
            "DROP INDEX CONCURRENTLY orders_customer_id_idx;\n",
            "CREATE INDEX CONCURRENTLY orders_customer_id_idx ON orders (customer_id);\n",
        ),
        message="DROP INDEX keeps out readers and writers of {relation} while it waits for the queries that are running",
    ),
    build(
        "require-concurrent-reindex",
        "REINDEX keeps out writers, and readers that need the index, until it is built; REINDEX CONCURRENTLY does not.",
        ("REINDEX INDEX orders_customer_id_idx;\n", "-- Nothing to undo: the index is the same.\n"),
        ("REINDEX INDEX CONCURRENTLY orders_customer_id_idx;\n", "-- Nothing to undo: the index is the same.\n"),
    ),
    build(
        "require-concurrent-partition-detach",
        "DETACH PARTITION takes ACCESS EXCLUSIVE on the partitioned table; DETACH PARTITION CONCURRENTLY does not.",
        (
            "ALTER TABLE events DETACH PARTITION events_2025;\n",
            "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n",
        ),
        (
            "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY;\n",
            "-- CONCURRENTLY has added the bounds of the partition as a CHECK, with which ATTACH reads no row.\n"
            "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n"
            "ALTER TABLE events_2025 DROP CONSTRAINT events_2025_day_check;\n",
        ),
    ),
    build(
        "adding-foreign-key-constraint",
        "A new foreign key reads the whole table while the writers of both tables wait; one that is NOT VALID, "
        "and validated in a "
        "later file, does not.",
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers (id);\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;\n",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey\n"
            "    FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;\n",
        ),
        _validate("TABLE orders", "orders_customer_id_fkey", "FOREIGN KEY (customer_id) REFERENCES customers (id)"),
        message="the foreign key reads the whole table {relation} while the writers of both tables wait",
        accept=is_read,
        lock=6,
    ),
    build(
        "constraint-missing-not-valid",
        "A new constraint reads the whole table while readers and writers wait; one that is NOT VALID, and validated in a later "
        "file, does not.",
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0);\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_total_check;\n",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_total_check;\n",
        ),
        _validate("TABLE orders", "orders_total_check", "CHECK (total >= 0)"),
        message="validating the constraint reads the whole table {relation} under the lock of the statement that added it",
        accept=is_not_built_as_index,
    ),
    build(
        "disallowed-unique-constraint",
        "A new UNIQUE constraint builds its index while readers and writers wait; an index that was built "
        "CONCURRENTLY becomes the "
        "constraint at once.",
        ("ALTER TABLE orders ADD CONSTRAINT orders_id_key UNIQUE (id);\n", "ALTER TABLE orders DROP CONSTRAINT orders_id_key;\n"),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY orders_id_key ON orders (id);\n",
            "DROP INDEX CONCURRENTLY orders_id_key;\n",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_id_key UNIQUE USING INDEX orders_id_key;\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_id_key;\nCREATE UNIQUE INDEX CONCURRENTLY orders_id_key ON orders (id);\n",
        ),
        message="the UNIQUE constraint builds its index while readers and writers of {relation} wait",
    ),
    build(
        "adding-serial-primary-key-field",
        "A new primary key builds its index while readers and writers wait; an index that was built CONCURRENTLY becomes the key "
        "at once.",
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey;\n",
        ),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY orders_pkey ON orders (id);\n",
            "DROP INDEX CONCURRENTLY orders_pkey;\n",
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY USING INDEX orders_pkey;\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_pkey;\nCREATE UNIQUE INDEX CONCURRENTLY orders_pkey ON orders (id);\n",
        ),
        message="the primary key builds its index while readers and writers of {relation} wait",
    ),
    build(
        "adding-field-with-default",
        "A volatile default, an identity or a stored generated column writes each row under ACCESS EXCLUSIVE.",
        (
            "ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();\n",
            "ALTER TABLE orders DROP COLUMN token;\n",
        ),
        (
            "ALTER TABLE orders ADD COLUMN token uuid;\nALTER TABLE orders ALTER COLUMN token SET DEFAULT gen_random_uuid();\n",
            "ALTER TABLE orders DROP COLUMN token;\n",
        ),
        message="the value of the new column differs from row to row, so that the whole table {relation} is "
        "written while readers "
        "and writers wait",
        accept=rewrites_table,
    ),
    build(
        "ban-alter-domain-with-add-constraint",
        "A constraint of a domain reads each table that has a column of it; one that is NOT VALID, and "
        "validated in a later file, "
        "does not.",
        (
            "ALTER DOMAIN amount ADD CONSTRAINT amount_check CHECK (VALUE >= 0);\n",
            "ALTER DOMAIN amount DROP CONSTRAINT amount_check;\n",
        ),
        (
            "ALTER DOMAIN amount ADD CONSTRAINT amount_check CHECK (VALUE >= 0) NOT VALID;\n",
            "ALTER DOMAIN amount DROP CONSTRAINT amount_check;\n",
        ),
        _validate("DOMAIN amount", "amount_check", "CHECK (VALUE >= 0)"),
        accept=is_validated,
    ),
)
