"""The table of rules: our own, those of squawk that are on, and those that are off, each with the reason."""

from __future__ import annotations

from tasks.lint.model import LintExample, LintRule
from tasks.lint.rules.breaking import BREAKING_RULES, FAILING_RULES
from tasks.lint.rules.columns import find_rewriting_type, find_scanning_not_null, find_used_enum_value
from tasks.lint.rules.locking import LOCKING_RULES
from tasks.lint.rules.sharing import find_large_change, find_several_locks, find_shared_update
from tasks.lint.rules.structure import find_full_rewrite, find_kept_invalid_index, find_missing_down, find_unindexed_foreign_key
from tasks.lint.rules.uses import find_used

_DOCS = "https://www.postgresql.org/docs/current/"
_SETUP = """\
CREATE TYPE status AS ENUM ('open', 'paid');
CREATE TABLE customers (id bigint PRIMARY KEY, email text, name varchar(100));
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, total int, note text, state status);
CREATE INDEX orders_total_idx ON orders (total);
CREATE VIEW open_orders AS SELECT id, note FROM orders;
"""

OWN_RULES = (
    LintRule(
        "missing-down",
        "A migration without a down file cannot be rolled back; one that cannot be undone records the reason in its down file.",
        "getting-started.md",
        find_missing_down,
        LintExample("ALTER TABLE orders ADD COLUMN paid_at timestamptz;\n", None),
        (
            LintExample(
                "ALTER TABLE orders ADD COLUMN paid_at timestamptz;\n",
                "ALTER TABLE orders DROP COLUMN paid_at;\n",
            ),
        ),
        _SETUP,
        lock=0,
        small=False,
    ),
    LintRule(
        "concurrently-if-not-exists",
        "A CREATE INDEX CONCURRENTLY that fails leaves an invalid index behind, which IF NOT EXISTS keeps; "
        "without it, the next run "
        "drops the leftover and builds the index again.",
        _DOCS + "sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY",
        find_kept_invalid_index,
        LintExample(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_note_idx ON orders (note);\n",
            "DROP INDEX CONCURRENTLY orders_note_idx;\n",
        ),
        (
            LintExample(
                "CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);\n", "DROP INDEX CONCURRENTLY orders_note_idx;\n"
            ),
        ),
        _SETUP,
        lock=0,
        small=False,
    ),
    LintRule(
        "foreign-key-without-index",
        "PostgreSQL creates no index for a foreign key, so each DELETE in the referenced table, and each "
        "change of its key, reads "
        "the whole referencing table.",
        _DOCS + "ddl-constraints.html#DDL-CONSTRAINTS-FK",
        find_unindexed_foreign_key,
        LintExample(
            "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey\n"
            "    FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;\n",
            "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;\n",
        ),
        (
            LintExample(
                "CREATE INDEX CONCURRENTLY orders_customer_id_idx ON orders (customer_id);\n",
                "DROP INDEX CONCURRENTLY orders_customer_id_idx;\n",
            ),
            LintExample(
                "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey\n"
                "    FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;\n",
                "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;\n",
            ),
            LintExample(
                "ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_id_fkey;\n",
                "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;\n"
                "ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey\n"
                "    FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;\n",
            ),
        ),
        _SETUP,
        lock=0,
        needs_schema=True,
    ),
    LintRule(
        "update-with-schema-change",
        "The locks of a schema change and the rows that an UPDATE or DELETE changes stay locked until the transaction ends, so "
        "the application waits for as long as all rows take.",
        _DOCS + "explicit-locking.html",
        find_shared_update,
        LintExample(
            "ALTER TABLE orders ADD COLUMN paid boolean;\nUPDATE orders SET paid = (state = 'paid');\n",
            "ALTER TABLE orders DROP COLUMN paid;\n",
        ),
        (
            LintExample(
                "ALTER TABLE orders ADD COLUMN paid boolean;\n",
                "ALTER TABLE orders DROP COLUMN paid;\n",
            ),
            LintExample(
                "DO $$\nBEGIN\n    LOOP\n"
                "        UPDATE orders SET paid = (state = 'paid')\n"
                "        WHERE id IN (SELECT id FROM orders WHERE paid IS NULL AND state IS NOT NULL LIMIT 10000);\n"
                "        EXIT WHEN NOT FOUND;\n        COMMIT;\n    END LOOP;\nEND $$;\n",
                "-- Nothing to undo: the file before it drops the column.\n",
            ),
        ),
        _SETUP,
        lock=0,
    ),
    LintRule(
        "update-of-many-rows",
        "All rows that one UPDATE or DELETE changes stay locked until it has ended, and VACUUM cannot remove their old "
        "versions before; a block that commits after some thousand rows keeps no one out for long.",
        _DOCS + "explicit-locking.html#LOCKING-ROWS",
        find_large_change,
        LintExample(
            "UPDATE orders SET note = '' WHERE note IS NULL;\n",
            "-- Nothing to undo: which rows had no note is not known.\n",
        ),
        (
            LintExample(
                "DO $$\nBEGIN\n    LOOP\n"
                "        UPDATE orders SET note = ''\n"
                "        WHERE id IN (SELECT id FROM orders WHERE note IS NULL LIMIT 5000);\n"
                "        EXIT WHEN NOT FOUND;\n        COMMIT;\n    END LOOP;\nEND $$;\n",
                "-- Nothing to undo: which rows had no note is not known.\n",
            ),
        ),
        _SETUP,
        lock=5,
    ),
    LintRule(
        "drop-in-use",
        "What a view, function, policy, trigger, default or later file still uses cannot be dropped or renamed "
        "without breaking it: "
        "CASCADE drops it too, and the body of a function fails when it is called.",
        _DOCS + "ddl-depend.html",
        find_used,
        LintExample(
            "-- migrate: after-deploy\nALTER TABLE orders DROP COLUMN note CASCADE;\n",
            "ALTER TABLE orders ADD COLUMN note text;\nCREATE VIEW open_orders AS SELECT id, note FROM orders;\n",
        ),
        (
            LintExample(
                "-- migrate: after-deploy\nDROP VIEW open_orders;\nALTER TABLE orders DROP COLUMN note;\n"
                "CREATE VIEW open_orders AS SELECT id FROM orders;\n",
                "ALTER TABLE orders ADD COLUMN note text;\nDROP VIEW open_orders;\n"
                "CREATE VIEW open_orders AS SELECT id, note FROM orders;\n",
            ),
        ),
        _SETUP,
        lock=0,
        small=False,
        needs_schema=True,
    ),
    LintRule(
        "enum-value-used",
        "PostgreSQL refuses to use a new value of an enum type before the transaction that adds it is committed.",
        _DOCS + "sql-altertype.html#SQL-ALTERTYPE-NOTES",
        find_used_enum_value,
        LintExample(
            "ALTER TYPE status ADD VALUE 'late';\nUPDATE orders SET state = 'late' WHERE id = 1;\n",
            "-- migrate: irreversible PostgreSQL cannot remove a value from an enum type\n",
        ),
        (
            LintExample(
                "ALTER TYPE status ADD VALUE 'late';\n",
                "-- migrate: irreversible PostgreSQL cannot remove a value from an enum type\n",
            ),
            LintExample(
                "UPDATE orders SET state = 'late' WHERE id = 1;\n",
                "UPDATE orders SET state = 'open' WHERE id = 1;\n",
            ),
        ),
        _SETUP,
        lock=0,
        small=False,
    ),
    LintRule(
        "changing-column-type",
        "A type with another binary form rewrites the table and its indexes under ACCESS EXCLUSIVE; a replay "
        "shows whether it does.",
        _DOCS + "sql-altertable.html#SQL-ALTERTABLE-NOTES",
        find_rewriting_type,
        LintExample("ALTER TABLE orders ALTER COLUMN total TYPE bigint;\n", "ALTER TABLE orders ALTER COLUMN total TYPE int;\n"),
        (
            LintExample(
                "ALTER TABLE customers ALTER COLUMN name TYPE varchar(200);\n",
                "ALTER TABLE customers ALTER COLUMN name TYPE varchar(100);\n",
            ),
        ),
        _SETUP,
    ),
    LintRule(
        "adding-not-nullable-field",
        "SET NOT NULL reads the whole table under ACCESS EXCLUSIVE, unless a validated CHECK (column IS NOT NULL) proves it.",
        _DOCS + "sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL",
        find_scanning_not_null,
        LintExample(
            "ALTER TABLE orders ALTER COLUMN total SET NOT NULL;\n", "ALTER TABLE orders ALTER COLUMN total DROP NOT NULL;\n"
        ),
        (
            LintExample(
                "ALTER TABLE orders ADD CONSTRAINT orders_total_not_null CHECK (total IS NOT NULL) NOT VALID;\n",
                "ALTER TABLE orders DROP CONSTRAINT orders_total_not_null;\n",
            ),
            LintExample(
                "ALTER TABLE orders VALIDATE CONSTRAINT orders_total_not_null;\n",
                "ALTER TABLE orders DROP CONSTRAINT orders_total_not_null;\n"
                "ALTER TABLE orders ADD CONSTRAINT orders_total_not_null CHECK (total IS NOT NULL) NOT VALID;\n",
            ),
            LintExample(
                "ALTER TABLE orders ALTER COLUMN total SET NOT NULL;\nALTER TABLE orders DROP CONSTRAINT "
                "orders_total_not_null;\n",
                "ALTER TABLE orders ADD CONSTRAINT orders_total_not_null CHECK (total IS NOT NULL);\n"
                "ALTER TABLE orders ALTER COLUMN total DROP NOT NULL;\n",
            ),
        ),
        _SETUP,
    ),
    LintRule(
        "several-exclusive-locks",
        "A transaction keeps each lock until it ends, so while it waits for the second table, the users of the "
        "first one wait too.",
        _DOCS + "explicit-locking.html#LOCKING-TABLES",
        find_several_locks,
        LintExample(
            "ALTER TABLE orders ADD COLUMN a int;\nALTER TABLE customers ADD COLUMN a int;\n",
            "ALTER TABLE customers DROP COLUMN a;\nALTER TABLE orders DROP COLUMN a;\n",
        ),
        (
            LintExample("ALTER TABLE orders ADD COLUMN a int;\n", "ALTER TABLE orders DROP COLUMN a;\n"),
            LintExample("ALTER TABLE customers ADD COLUMN a int;\n", "ALTER TABLE customers DROP COLUMN a;\n"),
        ),
        _SETUP,
        lock=0,
        small=False,
    ),
    LintRule(
        "full-rewrite",
        "VACUUM FULL and CLUSTER write the whole table under ACCESS EXCLUSIVE; VACUUM and the extension "
        "pg_repack keep no one out.",
        _DOCS + "sql-vacuum.html",
        find_full_rewrite,
        LintExample("VACUUM FULL orders;\n", "-- Nothing to undo: the rows are the same.\n"),
        (LintExample("VACUUM orders;\n", "-- Nothing to undo: the rows are the same.\n"),),
        _SETUP,
    ),
)

RULES = OWN_RULES + LOCKING_RULES + BREAKING_RULES + FAILING_RULES
RULE_NAMES = frozenset(rule.name for rule in RULES)
