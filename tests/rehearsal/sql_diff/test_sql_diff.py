"""The SQL that is generated from two schemas leads from one to the other, and back."""

import pytest

from tasks.catalog import NAMED_NULL, Catalog, compare, read_catalog, show_difference
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import WrittenSql, verify_pair, write_pair, write_sql
from tasks.runner.parsing import read_script
from tests.catalog.cases import CASES, Case
from tests.catalog.conftest import OTHER, READER, make_role
from tests.kit.databases import Database, skip_before
from tests.kit.projects import REPOSITORY

pytestmark = pytest.mark.newest

T = "CREATE TABLE t (id integer, name text, n integer);"
OWN_CASES = {
    "a column in the middle": (T, "ALTER TABLE t DROP name"),
    "the type of a column that views use": (
        T + "CREATE VIEW v AS SELECT id, name FROM t; CREATE VIEW w AS SELECT id FROM v; GRANT SELECT ON w TO PUBLIC;"
        "COMMENT ON COLUMN w.id IS 'x'; CREATE MATERIALIZED VIEW m AS SELECT * FROM w; CREATE INDEX mi ON m (id)",
        "DROP VIEW v CASCADE; ALTER TABLE t ALTER id TYPE bigint; CREATE VIEW v AS SELECT id, name FROM t;"
        "CREATE VIEW w AS SELECT id FROM v; GRANT SELECT ON w TO PUBLIC; COMMENT ON COLUMN w.id IS 'x';"
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM w; CREATE INDEX mi ON m (id)",
    ),
    "a type with no cast": (
        T + "ALTER TABLE t ALTER name SET DEFAULT '1'",
        "ALTER TABLE t ALTER name DROP DEFAULT, ALTER name TYPE integer USING 1, ALTER name SET DEFAULT 2",
    ),
    "both sides of a foreign key": (
        "CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (a integer REFERENCES a)",
        "ALTER TABLE b DROP CONSTRAINT b_a_fkey; ALTER TABLE a ALTER id TYPE text; ALTER TABLE b ALTER a TYPE text,"
        "ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES a",
    ),
    "tables that refer to each other": (
        "",
        "CREATE TABLE a (id integer PRIMARY KEY, b integer); CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a);"
        "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; CREATE TABLE c (id serial, up integer REFERENCES a)",
    ),
    "the return type of a function": (
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE TABLE t (a integer DEFAULT f());"
        "CREATE VIEW v AS SELECT f() AS f",
        "DROP VIEW v; ALTER TABLE t ALTER a DROP DEFAULT; DROP FUNCTION f();"
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1'; ALTER TABLE t ALTER a SET DEFAULT f();"
        "CREATE VIEW v AS SELECT f() AS f",
    ),
    "dependencies of a table": (
        "",
        "SET check_function_bodies = off;"
        "CREATE SCHEMA s; CREATE TYPE s.e AS ENUM ('a', 'b'); CREATE DOMAIN s.d AS s.e DEFAULT 'a';"
        "CREATE FUNCTION s.f(s.e) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''x'' FROM nowhere_yet';"
        "CREATE SEQUENCE s.q; CREATE TABLE s.t (id bigint DEFAULT nextval('s.q') PRIMARY KEY, d s.d, e s.e DEFAULT 'b',"
        "x text DEFAULT s.f('a'), y integer GENERATED ALWAYS AS (1 + 1) STORED CHECK (y > 0));"
        "CREATE FUNCTION s.g() RETURNS SETOF s.t LANGUAGE sql AS 'SELECT * FROM s.t';"
        "CREATE FUNCTION s.h() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(id) FROM s.t; END;"
        "CREATE VIEW s.a AS SELECT * FROM s.g(); CREATE VIEW s.b AS SELECT id, s.h() FROM s.a",
    ),
    "statistics targets of an index": (
        T + "CREATE INDEX i ON t ((n + 1), (n + 2)); ALTER INDEX i ALTER 1 SET STATISTICS 5",
        "ALTER INDEX i ALTER 1 SET STATISTICS -1; ALTER INDEX i ALTER 2 SET STATISTICS 9",
    ),
    "an index with statistics targets": (
        T,
        "CREATE INDEX i ON t ((n + 1), (n + 2)); ALTER INDEX i ALTER 1 SET STATISTICS 5, ALTER 2 SET STATISTICS 9",
    ),
    "privileges on a language": (
        "GRANT USAGE ON LANGUAGE plpgsql TO catalog_reader",
        "REVOKE USAGE ON LANGUAGE plpgsql FROM catalog_reader; REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC",
    ),
    "a table becomes a view": (T, "DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id"),
    "a procedure becomes a function": (
        "CREATE PROCEDURE p(a text) LANGUAGE sql AS ''",
        "DROP PROCEDURE p; CREATE FUNCTION p(a text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    ),
    "a sequence is no longer used": ("CREATE TABLE t (id serial)", "ALTER TABLE t ALTER id DROP DEFAULT; DROP SEQUENCE t_id_seq"),
    "a sequence outlives its table": (
        "CREATE TABLE t (id serial)",
        "ALTER SEQUENCE t_id_seq OWNED BY NONE; DROP TABLE t",
    ),
    "a generated column": (T, "ALTER TABLE t ADD g integer GENERATED ALWAYS AS (id + 1) STORED"),
    "identity": (
        T,
        "ALTER TABLE t ALTER id SET NOT NULL, ALTER id ADD GENERATED ALWAYS AS IDENTITY (START WITH 7 CACHE 3 CYCLE)",
    ),
    "a domain": (
        "CREATE DOMAIN d AS text CHECK (VALUE <> ''); CREATE TABLE t (d d)",
        "ALTER DOMAIN d SET DEFAULT 'x y'; ALTER DOMAIN d DROP CONSTRAINT d_check;"
        "ALTER DOMAIN d ADD CONSTRAINT e CHECK (length(VALUE) > 1)",
    ),
    "another key": (
        "CREATE TABLE a (id integer NOT NULL PRIMARY KEY, b integer NOT NULL); CREATE TABLE c (a integer)",
        "ALTER TABLE a DROP CONSTRAINT a_pkey, ADD PRIMARY KEY (id, b); CREATE UNIQUE INDEX i ON a (b);"
        "ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES a (b)",
    ),
    "partitions": (
        "",
        "CREATE TABLE p (id integer, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); CREATE INDEX i ON p (at);"
        "CREATE TABLE q (a integer NOT NULL CHECK (a > 0)); CREATE TABLE r (b text) INHERITS (q)",
    ),
    "odd names": (
        'CREATE SCHEMA "Größe ""x"" y"; CREATE TABLE "Größe ""x"" y"."Ta.ble" ("ö \'z\'" integer, "DEFAULT x" text)',
        """ALTER TABLE "Größe ""x"" y"."Ta.ble" ALTER "ö 'z'" SET DEFAULT 1, ADD CONSTRAINT "É" CHECK ("ö 'z'" > 0),
        ALTER "DEFAULT x" TYPE varchar(3); CREATE TYPE "E E" AS ENUM ('it''s', 'a, b'); CREATE TABLE "select" ("from" "E E"[]);
        COMMENT ON COLUMN "Größe ""x"" y"."Ta.ble"."ö 'z'" IS 'x IS y'; CREATE SEQUENCE "S S" OWNED BY "select"."from" """,
    ),
}
ALL = [*CASES, *(Case(title, *texts, ()) for title, texts in OWN_CASES.items())]


def read(database: Database) -> Catalog:
    return database.ask(read_catalog)


def run(database: Database, written: WrittenSql) -> Catalog:
    with database.ask(lambda connection: connection).transaction():
        for statement in written.statements:
            database.execute(statement)
    return read(database)


def leave_out(found: Catalog, wanted: Catalog, written: WrittenSql) -> list[str]:
    """Return the difference without what is left to be done by hand."""
    keys = {change.key for change in written.by_hand}
    difference = compare(found, wanted)
    return list(show_difference(type(difference)(tuple(change for change in difference.changes if change.key not in keys))))


@pytest.mark.parametrize("case", ALL, ids=[case.title for case in ALL])
def test_the_generated_sql_leads_to_the_other_schema_and_back(database: Database, case: Case) -> None:
    skip_before(case.since, database)
    make_role(database, READER)
    make_role(database, OTHER)
    if case.setup:
        database.execute(case.setup)
    before = read(database)
    database.execute(case.change)
    after = read(database)
    back = write_sql(after, before)
    assert leave_out(run(database, back), before, back) == []
    forth = write_sql(read(database), after)
    assert leave_out(run(database, forth), after, forth) == []


FAMILY = "CREATE OPERATOR FAMILY f USING hash;"
BY_HAND = [
    ("", "CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (e e)", "", []),
    ("CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (e e) PARTITION BY LIST (e)", "ALTER TYPE e ADD VALUE 'c'", "back",
     ["type public.e"]),
    ("CREATE TABLE t (a integer, b integer)", "ALTER TABLE t DROP a; ALTER TABLE t ADD a integer", "", ["column order public.t"]),
    ("", f"{FAMILY} CREATE SCHEMA s; ALTER OPERATOR FAMILY f USING hash SET SCHEMA s", "", ["operator family s.f USING hash"]),
    ("", f"{FAMILY} CREATE SCHEMA s; ALTER OPERATOR FAMILY f USING hash SET SCHEMA s", "back",
     ["operator family s.f USING hash", "schema s"]),
]  # fmt: skip


@pytest.mark.parametrize(("setup", "change", "way", "left"), BY_HAND)
def test_changes_without_generated_sql_are_named(database: Database, setup: str, change: str, way: str, left: list[str]) -> None:
    if setup:
        database.execute(setup)
    before = read(database)
    database.execute(change)
    written = write_sql(read(database), before) if way else write_sql(before, read(database))
    assert [str(found.key) for found in written.by_hand] == left


@pytest.mark.only_newest  # It needs pgvector.
def test_the_complete_schema_of_the_project_is_generated_and_reverted(database: Database) -> None:
    empty = read(database)
    for path in sorted((REPOSITORY / "migrations" / "up").glob("*.sql")):
        database.execute(path.read_text().replace("CONCURRENTLY", ""))
    full = read(database)
    back = write_sql(full, empty)
    assert back.by_hand == ()
    assert compare(run(database, back), empty).changes == ()
    forth = write_sql(empty, full)
    assert forth.by_hand == ()
    assert compare(run(database, forth), full).changes == ()


def test_equal_schemas_need_no_sql(database: Database) -> None:
    database.execute("CREATE TABLE t (id serial PRIMARY KEY)")
    assert write_sql(read(database), read(database)) == WrittenSql((), ())


def test_a_pair_is_verified_on_scratch(database: Database, scratch: ScratchServer) -> None:
    base = [RehearsedMigration("base", "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (id integer, e e);")]
    database.execute(base[0].up)
    before = read(database)
    database.execute("ALTER TYPE e ADD VALUE 'b'; ALTER TABLE t ADD x text; CREATE COLLATION c FROM \"C\"")
    pair = write_pair(before, read(database), name="20250101000000_adopt", heading="Adopt")
    assert pair.left == ()
    assert pair.irreversible == ""
    assert "-- deletes data\nALTER TABLE public.t DROP COLUMN x;" in pair.down
    assert verify_pair(scratch, base, pair, read(database)) == ()
    database.execute("ALTER TABLE t ADD y text")
    for left in verify_pair(scratch, base, pair, read(database)):
        assert [str(change.key) for change in left.only(["column"]).changes] == ["column y of public.t"]


def test_a_down_that_cannot_be_written_is_irreversible(database: Database, scratch: ScratchServer) -> None:
    base = [RehearsedMigration("base", "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (e e) PARTITION BY LIST (e);")]
    database.execute(base[0].up)
    before = read(database)
    database.execute("ALTER TYPE e ADD VALUE 'b'; CREATE TABLE u (id int)")
    pair = write_pair(before, read(database), name="20250101000000_adopt", heading="Adopt")
    assert "a partition key" in (read_script(pair.down, file="down.sql", version="down").irreversible or "")
    assert verify_pair(scratch, base, pair, read(database)) == ()


def test_the_query_of_a_materialized_view_does_not_run_when_a_pair_is_verified(
    database: Database, scratch: ScratchServer
) -> None:
    before = read(database)
    database.execute(
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE 'called'; END $$;"
        "CREATE MATERIALIZED VIEW m AS SELECT f() AS f WITH NO DATA; CREATE UNIQUE INDEX i ON m (f);"
        "CREATE MATERIALIZED VIEW n AS SELECT f FROM m WITH NO DATA"
    )
    live = read(database)
    pair = write_pair(before, live, name="20250101000000_adopt", heading="Adopt")
    assert "WITH NO DATA" not in pair.up
    assert verify_pair(scratch, [], pair, live) == ()


def test_rows_are_kept_when_a_column_changes_its_type(database: Database) -> None:
    database.execute("CREATE TABLE t (a text, b integer, c varchar(9)); INSERT INTO t VALUES ('1', 2, 'long')")
    before = read(database)
    database.execute("CREATE TYPE e AS ENUM ('1'); CREATE TABLE w (a e, b bigint, c varchar(9)); DROP TABLE t;")
    database.execute("ALTER TABLE w RENAME TO t")
    after = read(database)
    database.execute(
        "DROP TABLE t; DROP TYPE e; CREATE TABLE t (a text, b integer, c varchar(9)); INSERT INTO t VALUES ('1', 2, 'x')"
    )
    assert run(database, write_sql(before, after)) == after
    assert database.query("SELECT a::text, b, c FROM t") == [("1", 2, "x")]


def test_a_new_table_includes_its_keys_checks_and_serial_columns(database: Database) -> None:
    before = database.ask(read_catalog)
    database.execute(
        "CREATE FUNCTION f(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
        "CREATE TABLE a (id serial PRIMARY KEY, n bigserial UNIQUE, e text CHECK (f(e)), CHECK (n > 0) NO INHERIT);"
        "CREATE SEQUENCE b_other_seq AS integer OWNED BY a.id;"
        "CREATE TABLE b (id integer NOT NULL DEFAULT nextval('b_other_seq'), a integer REFERENCES a)"
    )
    after = database.ask(read_catalog)
    assert [text for text in write_sql(before, after).statements if "FUNCTION" not in text and "check_function" not in text] == [
        "CREATE SEQUENCE public.b_other_seq AS integer INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1",
        "CREATE TABLE public.a (\n    id serial NOT NULL,\n    n bigserial NOT NULL,\n    e text,\n"
        "    CONSTRAINT a_pkey PRIMARY KEY (id),\n    CONSTRAINT a_n_key UNIQUE (n),\n"
        "    CONSTRAINT a_e_check CHECK (public.f(e)),\n    CONSTRAINT a_n_check CHECK ((n > 0)) NO INHERIT\n)",
        "CREATE TABLE public.b (\n    id integer NOT NULL DEFAULT nextval('public.b_other_seq'::regclass),\n    a integer\n)",
        "ALTER SEQUENCE public.b_other_seq OWNED BY public.a.id",
        "ALTER TABLE public.b ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES public.a(id)",
    ]


def test_a_table_is_dropped_without_dropping_its_defaults(database: Database) -> None:
    before = database.ask(read_catalog)
    database.execute("CREATE TABLE t (id serial PRIMARY KEY, n integer DEFAULT 1, UNIQUE (n))")
    assert write_sql(database.ask(read_catalog), before).statements == ("-- deletes data\nDROP TABLE public.t",)


def test_not_null_of_a_new_table_has_the_wanted_name(database: Database) -> None:
    before = read(database)
    database.execute(
        "CREATE TABLE t (a serial CONSTRAINT k NOT NULL, b integer CONSTRAINT m NOT NULL PRIMARY KEY, c date NOT NULL)"
    )
    database.execute("CREATE TABLE p (a integer NOT NULL) PARTITION BY LIST (a)")
    database.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE INDEX ON p1 (a)")
    after = read(database)
    assert compare(run(database, write_sql(after, before)), before).changes == ()
    assert run(database, write_sql(before, after)).derived == after.derived
    names = {"k", "m", "p_a_not_null"} if after.server_version >= 180000 else set()
    assert {name for key, name in after.derived.items() if key.kind == NAMED_NULL} == names
