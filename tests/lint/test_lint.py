"""What is a finding and what is none: tables, transactions, directives, comments."""

from dataclasses import replace

import pytest

from tasks.lint.model import LintExample
from tasks.rehearsal.scratch.server import ScratchServer
from tests.lint.linting import lint_all, lint_up, make_numbers

SETUP = """
CREATE TYPE status AS ENUM ('open');
CREATE TABLE t (id bigint PRIMARY KEY, a int, b varchar(10), c text, s status, UNIQUE (a));
CREATE TABLE u (id bigint PRIMARY KEY, t_id bigint);
CREATE INDEX t_b ON t (b);
CREATE TABLE w (a int NOT NULL, b int);
CREATE UNIQUE INDEX w_b ON w (b);
CREATE TABLE p (id bigint, a int) PARTITION BY HASH (id);
CREATE TABLE p_0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE "Odd table" ("a b" int, "x{y}" int);
"""
INDEX = "require-concurrent-index-creation"

FOUND = {
    "each command of an ALTER TABLE has its line": (
        "ALTER TABLE t\n    ALTER COLUMN a SET NOT NULL,\n    ADD CHECK (a > 0);",
        [(2, "adding-not-nullable-field"), (3, "constraint-missing-not-valid")],
    ),
    "names with quotes and braces": (
        'ALTER TABLE "Odd table" ALTER "x{y}" SET NOT NULL;\nCREATE INDEX ON "Odd table" ("a b");',
        [(1, "adding-not-nullable-field"), (2, INDEX)],
    ),
    "a statement after one that is not ASCII": ("SELECT 'ä€😀'; CREATE INDEX i ON t (c);", [(1, INDEX)]),
    "a rewrite by a type": ("ALTER TABLE t ALTER COLUMN a TYPE bigint;", [(1, "changing-column-type")]),
    "a shorter type": ("ALTER TABLE t ALTER COLUMN b TYPE varchar(5);", [(1, "changing-column-type")]),
    "a volatile default": (
        "ALTER TABLE t ADD COLUMN d timestamptz DEFAULT clock_timestamp();",
        [(1, "adding-field-with-default")],
    ),
    "an update of all rows": (
        "ALTER TABLE t ADD COLUMN d int;\nUPDATE t SET d = 1 WHERE c IS NOT NULL;",
        [(2, "update-with-schema-change")],
    ),
    "a partial index is not enough for a foreign key": (
        "CREATE INDEX CONCURRENTLY i ON u (t_id) WHERE id > 3;\nALTER TABLE u ADD FOREIGN KEY (t_id) REFERENCES t NOT VALID;",
        [(2, "foreign-key-without-index")],
    ),
    "a column with a foreign key": ("ALTER TABLE u ADD COLUMN t2 bigint REFERENCES t;", [(1, "foreign-key-without-index")]),
    "an invalid index is kept": ("CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (c);", [(1, "concurrently-if-not-exists")]),
    "validated in its own transaction": (
        "ALTER TABLE t ADD CONSTRAINT k CHECK (c IS NOT NULL) NOT VALID;\nALTER TABLE t VALIDATE CONSTRAINT k;\n"
        "ALTER TABLE t ALTER COLUMN c SET NOT NULL;",
        [(2, "constraint-missing-not-valid"), (3, "adding-not-nullable-field")],
    ),
    "two tables": ("ALTER TABLE t ADD COLUMN d int;\nALTER TABLE u ADD COLUMN d int;", [(2, "several-exclusive-locks")]),
    "an update alone": ("UPDATE t SET c = 'x';", [(1, "update-of-many-rows")]),
    "a delete alone": ("DELETE FROM t WHERE c IS NULL;", [(1, "update-of-many-rows")]),
    "an update of all partitions": ("UPDATE p SET a = 1;", [(1, "update-of-many-rows")]),
    "an update in a file without a transaction": (
        "-- migrate: no-transaction\nUPDATE t SET c = 'x';\nALTER TABLE t ADD COLUMN d int;",
        [(2, "update-of-many-rows")],
    ),
    "a primary key of columns that may be null": (
        "CREATE UNIQUE INDEX CONCURRENTLY w_pkey ON w (a, b);\nALTER TABLE w ADD PRIMARY KEY USING INDEX w_pkey;",
        [(2, "adding-not-nullable-field")],
    ),
    "a primary key with an index that exists": (
        "ALTER TABLE w ADD CONSTRAINT k PRIMARY KEY USING INDEX w_b;",
        [(1, "adding-not-nullable-field")],
    ),
    "a drop before the deployment": ("ALTER TABLE t DROP COLUMN c;", [(1, "ban-drop-column")]),
    "a rename before the deployment": ("ALTER TABLE t RENAME TO v;", [(1, "renaming-table")]),
}
NONE = {
    "a new table": "CREATE TABLE n (id int);\nCREATE INDEX ON n (id);\nALTER TABLE n ALTER id SET NOT NULL, ADD CHECK (id > 0);",
    "a new table with a foreign key": "CREATE TABLE n (id int, t_id bigint REFERENCES t);",
    "a new table under another name": "CREATE TABLE n (id int);\nALTER TABLE n RENAME TO m;\nCREATE INDEX ON m (id);",
    "CONCURRENTLY beside other statements": "CREATE INDEX CONCURRENTLY i ON t (c);\nCOMMENT ON INDEX i IS 'x';",
    "a longer type": "ALTER TABLE t ALTER COLUMN b TYPE varchar(20);",
    "text": "ALTER TABLE t ALTER COLUMN b TYPE text;",
    "a stable default": "ALTER TABLE t ADD COLUMN d timestamptz DEFAULT now();",
    "a column that is not null": "ALTER TABLE t ALTER COLUMN id SET NOT NULL;",
    "a primary key of columns that are not null": (
        "CREATE UNIQUE INDEX CONCURRENTLY w_pkey ON w (a);\nALTER TABLE w ADD PRIMARY KEY USING INDEX w_pkey;"
    ),
    "an index for the foreign key": (
        "ALTER TABLE u ADD FOREIGN KEY (t_id) REFERENCES t NOT VALID;\nCREATE INDEX CONCURRENTLY i ON u (t_id, id);"
    ),
    "an index without nulls": (
        "CREATE INDEX CONCURRENTLY i ON u (t_id) WHERE t_id IS NOT NULL;\n"
        "ALTER TABLE u ADD FOREIGN KEY (t_id) REFERENCES t NOT VALID;"
    ),
    "an update of one row": "ALTER TABLE t ADD COLUMN d int;\nUPDATE t SET d = 1 WHERE id = 3;",
    "an update of some rows": "ALTER TABLE t ADD COLUMN d int;\nUPDATE t SET d = 1 WHERE id IN (1, 2) AND c = 'x';",
    "an update of rows that an index finds": "UPDATE t SET c = 'x' WHERE b = 'y';\nDELETE FROM t WHERE b = 'z';",
    "an update of a new table": "CREATE TABLE n (a int);\nUPDATE n SET a = 1;",
    "a new type with its values": "CREATE TYPE e AS ENUM ('a');\nCREATE TABLE n (e e DEFAULT 'a');",
    "a value in two transactions": (
        "-- migrate: no-transaction\nALTER TYPE status ADD VALUE 'x';\nUPDATE t SET s = 'x' WHERE id = 1;"
    ),
    "a view that is replaced": "CREATE VIEW w AS SELECT 1;\nDROP VIEW w;\nCREATE VIEW w AS SELECT 2;",
    "a lock on purpose": (
        "LOCK TABLE t, u IN ACCESS EXCLUSIVE MODE;\nCREATE INDEX ON t (c);\nUPDATE t SET c = 'x';\n"
        "ALTER TABLE t ALTER c SET NOT NULL;\nALTER TABLE u ADD COLUMN d int;"
    ),
    "a drop after the deployment": "-- migrate: after-deploy\nALTER TABLE t DROP COLUMN c;\nDROP TABLE u;",
    "a comment in a string": "INSERT INTO t (id, c) VALUES (1, E'\n-- lint: ignore nothing\n');",
    "a comment in a block": "DO $$ BEGIN\n-- lint: ignore nothing\nPERFORM 1; END $$;",
}


@pytest.mark.parametrize(("up", "expected"), FOUND.values(), ids=FOUND.keys())
def test_what_is_a_finding(scratch: ScratchServer, up: str, expected: list[tuple[int, str]]) -> None:
    assert lint_up(scratch, SETUP, up) == expected


@pytest.mark.parametrize("up", NONE.values(), ids=NONE.keys())
def test_what_is_no_finding(scratch: ScratchServer, up: str) -> None:
    assert lint_up(scratch, SETUP, up) == []


def test_a_foreign_key_that_each_partition_has_reads_no_row(scratch: ScratchServer) -> None:
    setup = f"{SETUP}CREATE INDEX ON p (a); CREATE TABLE r (a int PRIMARY KEY); ALTER TABLE p_0 ADD FOREIGN KEY (a) REFERENCES r;"
    found = [(1, "adding-foreign-key-constraint")]
    assert lint_up(scratch, setup, "ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES r;") == []
    assert lint_up(scratch, setup, "ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES r ON DELETE CASCADE;") == found
    setup = setup.replace("REFERENCES r;", "REFERENCES r NOT VALID;")
    assert lint_up(scratch, setup, "ALTER TABLE p ADD FOREIGN KEY (a) REFERENCES r;") == found


def test_a_small_table_is_no_finding_and_a_large_one_is(scratch: ScratchServer) -> None:
    up = "CREATE INDEX ON t (c);\nCREATE INDEX ON u (t_id);"
    assert lint_up(scratch, SETUP, up, make_numbers(t=300, u=300_000)) == [(2, INDEX)]


def test_a_table_that_was_never_analysed_counts_by_its_size(scratch: ScratchServer) -> None:
    numbers = make_numbers(t=300, u=300_000)
    unknown = tuple(replace(each, rows=-1) for each in numbers.relations)
    up = "CREATE INDEX ON t (c);\nCREATE INDEX ON u (t_id);"
    assert lint_up(scratch, SETUP, up, replace(numbers, relations=unknown)) == [(2, INDEX)]


def test_a_table_that_the_environment_does_not_have_is_new(scratch: ScratchServer) -> None:
    assert lint_up(scratch, SETUP, "CREATE INDEX ON t (c);", make_numbers(u=300_000)) == []


def test_an_update_of_a_small_table_is_no_finding(scratch: ScratchServer) -> None:
    up = "UPDATE t SET c = 'x';\nUPDATE u SET t_id = 3;"
    assert lint_up(scratch, SETUP, up, make_numbers(t=300, u=300_000)) == [(2, "update-of-many-rows")]


def test_a_small_table_does_not_hide_what_breaks_the_application(scratch: ScratchServer) -> None:
    found = lint_up(scratch, SETUP, "ALTER TABLE t DROP COLUMN c;", make_numbers(t=3))
    assert found == [(1, "ban-drop-column")]


def test_idle_tables_may_share_a_transaction(scratch: ScratchServer) -> None:
    numbers = make_numbers(t=3, u=3)
    idle = tuple(replace(each, reads=0.0, writes=0.1) for each in numbers.relations)
    up = "ALTER TABLE t ADD COLUMN d int;\nALTER TABLE u ADD COLUMN d int;"
    assert lint_up(scratch, SETUP, up, replace(numbers, relations=idle)) == []


USERS = {
    "a view": ("CREATE VIEW v AS SELECT c FROM t;", "view public.v"),
    "a materialized view": ("CREATE MATERIALIZED VIEW v AS SELECT c FROM t;", "materialized view public.v"),
    "a policy": ("CREATE POLICY p ON t USING (c = 'x');", "policy p on table public.t"),
    "a trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
        "CREATE TRIGGER g BEFORE UPDATE OF c ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "trigger g on table public.t",
    ),
    "a generated column": (
        "ALTER TABLE t ADD COLUMN g text GENERATED ALWAYS AS (c || 'x') STORED;",
        "column g of table public.t",
    ),
    "a function in SQL": ("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT t.c FROM t';", "function public.f"),
    "a function in PL/pgSQL": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN UPDATE t SET c = x; END $$;",
        "function public.f",
    ),
    "a text that a function executes": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'UPDATE t SET c = 1'; END $$;",
        "function public.f",
    ),
    "a text that is put together": (
        "CREATE FUNCTION f(x text) RETURNS SETOF text LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN QUERY EXECUTE format('SELECT c FROM %I WHERE b = ', 't') || quote_literal(x); END $$;",
        "function public.f",
    ),
    "the type of a variable": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE x t.c%TYPE; BEGIN END $$;",
        "function public.f",
    ),
    "a row of a trigger": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.c := 'x'; RETURN NEW; END $$;\n"
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();",
        "function public.f",
    ),
}


@pytest.mark.parametrize(("user", "named"), USERS.values(), ids=USERS.keys())
def test_a_drop_of_what_something_uses_names_the_user(scratch: ScratchServer, user: str, named: str) -> None:
    up = "-- migrate: after-deploy\nALTER TABLE t DROP COLUMN c CASCADE;"
    found, _ = lint_all(scratch, f"{SETUP}{user}", [LintExample(up, "SELECT 1;")])
    assert [each.rule for each in found] == ["drop-in-use"]
    assert named in found[0].message


def test_a_column_of_the_same_name_in_another_table_is_not_used(scratch: ScratchServer) -> None:
    other = "CREATE TABLE w (c text);\nCREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT w.c FROM w, t';"
    assert lint_up(scratch, f"{SETUP}{other}", "-- migrate: after-deploy\nALTER TABLE t DROP COLUMN c;") == []


def test_names_are_looked_up_in_the_schemas_of_the_role(scratch: ScratchServer) -> None:
    path = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database()); END $$;"
    setup = f"CREATE SCHEMA app;\nCREATE TABLE app.t (id bigint PRIMARY KEY, c text);\nCREATE TABLE public.t (id bigint);\n{path}"
    found, _ = lint_all(scratch, setup, [LintExample("CREATE INDEX ON t (c);", "SELECT 1;")])
    assert [each.message for each in found] == ["CREATE INDEX keeps out the writers of app.t until the index is built"]


def test_a_function_that_the_file_replaces_does_not_count(scratch: ScratchServer) -> None:
    made = "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT c FROM t';"
    up = (
        "-- migrate: after-deploy\nCREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;\n"
        "ALTER TABLE t DROP COLUMN c;"
    )
    assert lint_up(scratch, f"{SETUP}{made}", up) == []


def test_what_the_file_detaches_from_a_function_before_it_drops_that_does_not_count(scratch: ScratchServer) -> None:
    made = """CREATE FUNCTION f(x text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT x';
CREATE DOMAIN d AS text DEFAULT f('x') CONSTRAINT k CHECK (f(VALUE) <> '');
ALTER TABLE t ALTER c SET DEFAULT f('x'), ADD CONSTRAINT e EXCLUDE USING btree (f(c) WITH =);
"""
    detached = "ALTER DOMAIN d DROP DEFAULT;\nALTER DOMAIN d DROP CONSTRAINT k;\nALTER TABLE t DROP CONSTRAINT e;\n"
    up = f"-- migrate: after-deploy\n{detached}ALTER TABLE t ALTER c DROP DEFAULT;\nDROP FUNCTION f(text);"
    assert "drop-in-use" not in [rule for _, rule in lint_up(scratch, f"{SETUP}{made}", up)]
    found = lint_up(scratch, f"{SETUP}{made}", "-- migrate: after-deploy\nDROP FUNCTION f(text) CASCADE;")
    assert "drop-in-use" in [rule for _, rule in found]


def test_foreign_keys_of_partitions_count_as_that_of_their_parent(scratch: ScratchServer) -> None:
    made = (
        "CREATE TABLE q (k int PRIMARY KEY); CREATE TABLE p (k int CONSTRAINT x REFERENCES q) PARTITION BY LIST (k);"
        "CREATE TABLE p1 PARTITION OF p DEFAULT;"
    )
    found, _ = lint_all(scratch, made, [LintExample("-- migrate: after-deploy\nDROP TABLE q CASCADE;", "SELECT 1;")])
    assert [each.message for each in found if each.rule == "drop-in-use"] == [
        "public.q is dropped, but constraint x on table public.p still uses it"
    ]
    up = "-- migrate: after-deploy\nALTER TABLE p DROP CONSTRAINT x;\nDROP TABLE q;"
    assert "drop-in-use" not in [rule for _, rule in lint_up(scratch, made, up)]


def test_a_rename_of_what_a_later_file_uses_names_that_file(scratch: ScratchServer) -> None:
    rename = LintExample("-- migrate: after-deploy\nALTER TABLE t RENAME COLUMN c TO d;", "SELECT 1;")
    found, finished = lint_all(
        scratch, SETUP, [rename, LintExample("SELECT 1;\nUPDATE t SET c = 'x' WHERE id = 1;", "SELECT 1;")]
    )
    assert [(each.rule, "up/v2.sql:2" in each.message) for each in found] == [("drop-in-use", True)]
    assert "fails on scratch" in finished.not_checked[0]


IGNORED = {
    "above the statement": f"-- lint: ignore {INDEX} -- at night\nCREATE INDEX ON t (c);",
    "as squawk writes it": f"-- squawk-ignore {INDEX} -- at night\nCREATE INDEX ON t (c);",
    "above another comment": f"-- lint: ignore {INDEX} -- at night\n-- For the search.\nCREATE INDEX ON t (c);",
    "several rules": "-- lint: ignore adding-not-nullable-field, constraint-missing-not-valid -- at night\n"
    "ALTER TABLE t ALTER c SET NOT NULL, ADD CHECK (a > 0);",
    "above a command": "ALTER TABLE t\n    -- lint: ignore adding-not-nullable-field -- at night\n    ALTER c SET NOT NULL;",
}


@pytest.mark.parametrize("up", IGNORED.values(), ids=IGNORED.keys())
def test_a_comment_with_a_reason_ignores_a_finding(scratch: ScratchServer, up: str) -> None:
    found, finished = lint_all(scratch, SETUP, [LintExample(up, "SELECT 1;")])
    assert found == []
    assert finished.ignored >= 1


FAULTS = {
    "no reason": (f"-- lint: ignore {INDEX}\nCREATE INDEX ON t (c);", [(1, "ignore-without-reason"), (2, INDEX)]),
    "no rule": ("-- lint: ignore -- at night\nSELECT 1;", [(1, "unknown-rule")]),
    "an unknown rule": ("-- lint: ignore missing-dawn -- at night\nSELECT 1;", [(1, "unknown-rule")]),
    "nothing to ignore": (f"-- lint: ignore {INDEX} -- at night\nSELECT 1;", [(1, "unused-ignore")]),
    "a rule that is off": ("-- squawk-ignore prefer-robust-stmts -- at night\nSELECT 1;", [(1, "unused-ignore")]),
    "too far above": (f"-- lint: ignore {INDEX} -- at night\n\nCREATE INDEX ON t (c);", [(1, "unused-ignore"), (3, INDEX)]),
}


@pytest.mark.parametrize(("up", "expected"), FAULTS.values(), ids=FAULTS.keys())
def test_a_comment_that_ignores_nothing_is_a_finding(scratch: ScratchServer, up: str, expected: list[tuple[int, str]]) -> None:
    assert lint_up(scratch, SETUP, up) == expected


def test_an_unknown_rule_is_named_with_the_nearest_one() -> None:
    found, _ = lint_all(None, "", [LintExample("-- lint: ignore missing-dawn -- x\nSELECT 1;", "SELECT 1;")])
    assert found[0].message == "there is no rule 'missing-dawn'; Did you mean missing-down?"


def test_a_comment_is_not_unused_if_its_rule_was_not_checked() -> None:
    assert lint_up(None, "", "-- lint: ignore drop-in-use -- x\nSELECT 1;") == []


def test_a_comment_is_not_unused_if_only_the_size_makes_it_moot(scratch: ScratchServer) -> None:
    up = f"-- lint: ignore {INDEX} -- at night\nCREATE INDEX ON t (c);"
    assert lint_up(scratch, SETUP, up, make_numbers(t=3)) == []


def test_without_a_scratch_server_the_syntax_is_still_checked() -> None:
    assert lint_up(None, "", "CREATE INDEX ON t (c);\nALTER TABLE t ALTER c TYPE int;") == [
        (1, INDEX),
        (2, "changing-column-type"),
    ]


def test_a_file_that_cannot_be_read_is_a_finding_at_its_line() -> None:
    found, _ = lint_all(None, "", [LintExample("SELECT 1;\nCOMMIT;", "SELECT 1;"), LintExample("CREATE INDEX ON t (c);")])
    assert [(each.file, each.line, each.rule) for each in found] == [("up/v1.sql", 2, "refused"), ("up/v2.sql", 1, INDEX)]


def test_data_of_copy_is_not_read_as_sql(scratch: ScratchServer) -> None:
    up = "COPY u (id, t_id) FROM stdin;\n1\t2\n\\.\n-- lint: ignore nothing\nCREATE INDEX ON t (c);"
    assert lint_up(scratch, SETUP, up) == [(4, "unknown-rule"), (5, INDEX)]
