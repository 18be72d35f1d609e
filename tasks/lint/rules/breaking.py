"""Squawk's rules about changes that break the code which is running, or that fail: https://squawkhq.com/docs/rules."""

from __future__ import annotations

from tasks.lint.rules.building import ban, build
from tasks.lint.rules.reported import is_named_by_code

BREAKING_RULES = (
    ban(
        "ban-drop-column",
        "column {column}",
        "ALTER TABLE orders DROP COLUMN total;\n",
        "ALTER TABLE orders ADD COLUMN total int;\n",
        accept=None,
    ),
    ban(
        "ban-drop-table",
        "table",
        "DROP TABLE payments;\n",
        "CREATE TABLE payments (id bigint, paid amount);\n",
    ),
    ban("ban-drop-view", "view", "DROP VIEW recent;\n", "CREATE VIEW recent AS SELECT id FROM orders;\n"),
    ban(
        "ban-drop-function",
        "function",
        "DROP FUNCTION total_of(int);\n",
        "CREATE FUNCTION total_of(int) RETURNS int LANGUAGE sql RETURN $1;\n",
    ),
    ban("ban-drop-type", "type", "DROP TYPE shape;\n", "CREATE TYPE shape AS ENUM ('round');\n"),
    ban("ban-drop-sequence", "sequence", "DROP SEQUENCE numbers;\n", "CREATE SEQUENCE numbers;\n"),
    ban("ban-drop-schema", "schema", "DROP SCHEMA archive;\n", "CREATE SCHEMA archive;\n"),
    ban(
        "ban-drop-domain",
        "domain",
        "ALTER TABLE payments ALTER COLUMN paid TYPE int;\nDROP DOMAIN amount;\n",
        "CREATE DOMAIN amount AS int;\nALTER TABLE payments ALTER COLUMN paid TYPE amount;\n",
    ),
    ban("ban-drop-extension", "extension", "DROP EXTENSION pg_trgm;\n", "CREATE EXTENSION pg_trgm;\n"),
    ban(
        "renaming-column",
        "old name of the column",
        "ALTER TABLE customers RENAME COLUMN name TO full_name;\n",
        "ALTER TABLE customers RENAME COLUMN full_name TO name;\n",
        accept=None,
    ),
    ban(
        "renaming-table",
        "old name of the table",
        "ALTER TABLE payments RENAME TO settlements;\n",
        "ALTER TABLE settlements RENAME TO payments;\n",
        accept=None,
    ),
    ban(
        "renaming-object",
        "old name",
        "ALTER VIEW recent RENAME TO newest;\n",
        "ALTER VIEW newest RENAME TO recent;\n",
        accept=is_named_by_code,
    ),
    ban(
        "ban-set-schema",
        "old schema",
        "ALTER TABLE payments SET SCHEMA archive;\n",
        "ALTER TABLE archive.payments SET SCHEMA public;\n",
        accept=None,
    ),
)
FAILING_RULES = (
    build(
        "adding-required-field",
        "A new column that is NOT NULL without a default fails if the table has rows, and in code that does not write it.",
        ("ALTER TABLE orders ADD COLUMN place text NOT NULL;\n", "ALTER TABLE orders DROP COLUMN place;\n"),
        ("ALTER TABLE orders ADD COLUMN place text NOT NULL DEFAULT '';\n", "ALTER TABLE orders DROP COLUMN place;\n"),
        message="the new column is NOT NULL without a default: the statement fails if {relation} has rows, and so does code that "
        "does not write the column",
        lock=0,
        small=False,
    ),
    build(
        "identifier-too-long",
        "PostgreSQL cuts a name after 63 bytes, so that two different names can be one.",
        (f"CREATE TABLE {'a' * 64} (id int);\n", f"DROP TABLE {'a' * 63};\n"),
        (f"CREATE TABLE {'a' * 63} (id int);\n", f"DROP TABLE {'a' * 63};\n"),
        about_table=False,
        lock=0,
        small=False,
    ),
    build(
        "ban-truncate-cascade",
        "TRUNCATE … CASCADE also empties each table with a foreign key to the table, and those that refer to it.",
        ("TRUNCATE payments CASCADE;\n", "-- migrate: irreversible the rows are gone\n"),
        ("TRUNCATE payments;\n", "-- migrate: irreversible the rows are gone\n"),
        lock=0,
        small=False,
    ),
    build(
        "ban-drop-database",
        "A migration that drops a database destroys what no down file brings back.",
        ("DROP DATABASE other_application;\n", "-- migrate: irreversible the database is gone\n"),
        ("CREATE TABLE other_application (id int);\n", "DROP TABLE other_application;\n"),
        lock=0,
        small=False,
    ),
)
