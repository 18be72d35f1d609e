"""Squawk's rules that are on, with our reasons: https://squawkhq.com/docs/rules."""

from __future__ import annotations

from tasks.lint.model import LintExample, LintRule
from tasks.lint.rules.reported import (
    Accept,
    find_reported,
    is_named_by_code,
    is_not_built_as_index,
    is_not_recreated,
    is_read,
    is_validated,
    rewrites_table,
)

_SITE = "https://squawkhq.com/docs/"
_SETUP = """\
CREATE TABLE customers (id bigint NOT NULL, email text, name varchar(100));
CREATE UNIQUE INDEX customers_id_key ON customers (id);
CREATE TABLE orders (id bigint NOT NULL, customer_id bigint, total int);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
CREATE TABLE events (id bigint NOT NULL, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE DOMAIN amount AS int;
CREATE TABLE payments (id bigint, paid amount);
CREATE VIEW recent AS SELECT id FROM orders;
CREATE FUNCTION total_of(int) RETURNS int LANGUAGE sql RETURN $1;
CREATE TYPE shape AS ENUM ('round');
CREATE SEQUENCE numbers;
CREATE SCHEMA archive;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
"""
_AFTER = "-- migrate: after-deploy\n"


def _build(
    name: str,
    why: str,
    bad: tuple[str, str],
    *good: tuple[str, str],
    message: str = "",
    accept: Accept | None = None,
    about_table: bool = True,
    lock: int = 8,
    small: bool = True,
    after_deploy: bool = False,
) -> LintRule:
    sentence = (message or why[0].lower() + why[1:]).removesuffix(".")
    examples = tuple(LintExample(*each) for each in good)
    return LintRule(
        name,
        why,
        f"{_SITE}{name}",
        find_reported(name, sentence, accept, about_table=about_table),
        LintExample(*bad),
        examples,
        _SETUP,
        lock=lock,
        small=small,
        after_deploy=after_deploy,
    )


def _validate(what: str, name: str, definition: str) -> tuple[str, str]:
    """Return the migration that validates a constraint, and takes that back."""
    down = f"ALTER {what} DROP CONSTRAINT {name};\nALTER {what} ADD CONSTRAINT {name} {definition} NOT VALID;\n"
    return f"ALTER {what} VALIDATE CONSTRAINT {name};\n", down


def _ban(name: str, what: str, up: str, down: str, accept: Accept | None = is_not_recreated) -> LintRule:
    """Return a rule about a change that breaks the code which is running, so that it must wait for the deployment."""
    why = f"The code that is running may still use the {what}; in a file with -- migrate: after-deploy it runs once that is gone."
    message = f"the code that is running may still use the {what}"
    return _build(
        name,
        why,
        (up, down),
        (_AFTER + up, down),
        message=message,
        accept=accept,
        lock=0,
        small=False,
        after_deploy=True,
    )


_LOCKING = (
    _build(
        "require-concurrent-index-creation",
        "CREATE INDEX keeps out writers until the index is built; CREATE INDEX CONCURRENTLY does not.",
        ("CREATE INDEX orders_total_idx ON orders (total);\n", "DROP INDEX CONCURRENTLY orders_total_idx;\n"),
        ("CREATE INDEX CONCURRENTLY orders_total_idx ON orders (total);\n", "DROP INDEX CONCURRENTLY orders_total_idx;\n"),
        message="CREATE INDEX keeps out the writers of {relation} until the index is built",
        lock=5,
    ),
    _build(
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
    _build(
        "require-concurrent-reindex",
        "REINDEX keeps out writers, and readers that need the index, until it is built; REINDEX CONCURRENTLY does not.",
        ("REINDEX INDEX orders_customer_id_idx;\n", "-- Nothing to undo: the index is the same.\n"),
        ("REINDEX INDEX CONCURRENTLY orders_customer_id_idx;\n", "-- Nothing to undo: the index is the same.\n"),
    ),
    _build(
        "require-concurrent-partition-detach",
        "DETACH PARTITION takes ACCESS EXCLUSIVE on the partitioned table; DETACH PARTITION CONCURRENTLY does not.",
        (
            "ALTER TABLE events DETACH PARTITION events_2025;\n",
            "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n",
        ),
        (
            "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY;\n",
            "ALTER TABLE events ATTACH PARTITION events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');\n",
        ),
    ),
    _build(
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
    _build(
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
    _build(
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
    _build(
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
    _build(
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
    _build(
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
_BREAKING = (
    _ban(
        "ban-drop-column",
        "column {column}",
        "ALTER TABLE orders DROP COLUMN total;\n",
        "ALTER TABLE orders ADD COLUMN total int;\n",
        accept=None,
    ),
    _ban(
        "ban-drop-table",
        "table",
        "DROP TABLE payments;\n",
        "CREATE TABLE payments (id bigint, paid amount);\n",
    ),
    _ban("ban-drop-view", "view", "DROP VIEW recent;\n", "CREATE VIEW recent AS SELECT id FROM orders;\n"),
    _ban(
        "ban-drop-function",
        "function",
        "DROP FUNCTION total_of(int);\n",
        "CREATE FUNCTION total_of(int) RETURNS int LANGUAGE sql RETURN $1;\n",
    ),
    _ban("ban-drop-type", "type", "DROP TYPE shape;\n", "CREATE TYPE shape AS ENUM ('round');\n"),
    _ban("ban-drop-sequence", "sequence", "DROP SEQUENCE numbers;\n", "CREATE SEQUENCE numbers;\n"),
    _ban("ban-drop-schema", "schema", "DROP SCHEMA archive;\n", "CREATE SCHEMA archive;\n"),
    _ban(
        "ban-drop-domain",
        "domain",
        "ALTER TABLE payments ALTER COLUMN paid TYPE int;\nDROP DOMAIN amount;\n",
        "CREATE DOMAIN amount AS int;\nALTER TABLE payments ALTER COLUMN paid TYPE amount;\n",
    ),
    _ban("ban-drop-extension", "extension", "DROP EXTENSION pg_trgm;\n", "CREATE EXTENSION pg_trgm;\n"),
    _ban(
        "renaming-column",
        "old name of the column",
        "ALTER TABLE customers RENAME COLUMN name TO full_name;\n",
        "ALTER TABLE customers RENAME COLUMN full_name TO name;\n",
        accept=None,
    ),
    _ban(
        "renaming-table",
        "old name of the table",
        "ALTER TABLE payments RENAME TO settlements;\n",
        "ALTER TABLE settlements RENAME TO payments;\n",
        accept=None,
    ),
    _ban(
        "renaming-object",
        "old name",
        "ALTER VIEW recent RENAME TO newest;\n",
        "ALTER VIEW newest RENAME TO recent;\n",
        accept=is_named_by_code,
    ),
    _ban(
        "ban-set-schema",
        "old schema",
        "ALTER TABLE payments SET SCHEMA archive;\n",
        "ALTER TABLE archive.payments SET SCHEMA public;\n",
        accept=None,
    ),
)
_FAILING = (
    _build(
        "adding-required-field",
        "A new column that is NOT NULL without a default fails if the table has rows, and in code that does not write it.",
        ("ALTER TABLE orders ADD COLUMN place text NOT NULL;\n", "ALTER TABLE orders DROP COLUMN place;\n"),
        ("ALTER TABLE orders ADD COLUMN place text NOT NULL DEFAULT '';\n", "ALTER TABLE orders DROP COLUMN place;\n"),
        message="the new column is NOT NULL without a default: the statement fails if {relation} has rows, and so does code that "
        "does not write the column",
        lock=0,
        small=False,
    ),
    _build(
        "identifier-too-long",
        "PostgreSQL cuts a name after 63 bytes, so that two different names can be one.",
        (f"CREATE TABLE {'a' * 64} (id int);\n", f"DROP TABLE {'a' * 63};\n"),
        (f"CREATE TABLE {'a' * 63} (id int);\n", f"DROP TABLE {'a' * 63};\n"),
        about_table=False,
        lock=0,
        small=False,
    ),
    _build(
        "ban-truncate-cascade",
        "TRUNCATE … CASCADE also empties each table with a foreign key to the table, and those that refer to it.",
        ("TRUNCATE payments CASCADE;\n", "-- migrate: irreversible the rows are gone\n"),
        ("TRUNCATE payments;\n", "-- migrate: irreversible the rows are gone\n"),
        lock=0,
        small=False,
    ),
    _build(
        "ban-drop-database",
        "A migration that drops a database destroys what no down file brings back.",
        ("DROP DATABASE other_application;\n", "-- migrate: irreversible the database is gone\n"),
        ("CREATE TABLE other_application (id int);\n", "DROP TABLE other_application;\n"),
        lock=0,
        small=False,
    ),
)

SQUAWK_RULES = _LOCKING + _BREAKING + _FAILING
