"""Each class of objects is read: a change is a difference, and nothing else is."""

import pytest

from tasks.catalog import Catalog, Key, compare, read_catalog
from tasks.catalog.classes import CLASSES
from tests.catalog.attribute_cases import ATTRIBUTES
from tests.catalog.cases import CASES, Case
from tests.catalog.conftest import RICH
from tests.kit.databases import Database, skip_before


def read(database: Database) -> Catalog:
    return database.ask(read_catalog)


def check(any_database: Database, case: Case) -> None:
    """Assert that the change of a case makes the differences that it expects, and no others."""
    skip_before(case.since, any_database)
    if case.setup:
        any_database.execute(case.setup)
    before = read(any_database)
    any_database.execute(case.change)
    difference = compare(before, read(any_database))
    assert tuple(f"{change.word} {change.key}" for change in difference.changes) == case.seen


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_change_is_one_difference_of_its_object(any_database: Database, case: Case) -> None:
    check(any_database, case)


@pytest.mark.newest
@pytest.mark.usefixtures("roles", "tablespace")
@pytest.mark.parametrize("case", ATTRIBUTES, ids=lambda case: case.title)
def test_a_change_of_one_attribute_is_a_difference(any_database: Database, case: Case) -> None:
    check(any_database, case)


def test_an_empty_database_has_only_plpgsql_and_the_schema_public(any_database: Database) -> None:
    assert [str(key) for key in read(any_database).objects] == ["extension plpgsql", "schema public"]


@pytest.mark.parametrize(
    ("statement", "kind", "definition"),
    [
        ("CREATE TABLE t (c integer NOT NULL DEFAULT 1)", "column", "integer NOT NULL DEFAULT 1"),
        ("CREATE TABLE t (c serial)", "column", "integer NOT NULL DEFAULT nextval('public.t_c_seq'::regclass)"),
        ("CREATE TYPE e AS ENUM ('b', 'a')", "type", "AS ENUM ('b', 'a')"),
        ("CREATE TABLE t (c integer); CREATE INDEX i ON t (c)", "index", "CREATE INDEX i ON public.t USING btree (c)"),
        (
            "CREATE TABLE t (c integer); CREATE VIEW v AS SELECT c FROM t WHERE t.c > 1",
            "view",
            "AS SELECT c\n   FROM public.t\n  WHERE (c > 1)",
        ),
        ("CREATE TABLE t (c integer PRIMARY KEY)", "constraint", "PRIMARY KEY (c)"),
    ],
)
def test_a_definition_is_written_as_in_sql(any_database: Database, statement: str, kind: str, definition: str) -> None:
    any_database.execute(statement)
    assert [text for _, text in read(any_database).of_kind(kind)] == [definition]


@pytest.mark.newest
@pytest.mark.parametrize(
    ("setup", "definition"),
    [
        ("CREATE DOMAIN d AS text CONSTRAINT c CHECK (VALUE <> '')", "COMMENT ON CONSTRAINT c ON DOMAIN public.d IS 'x'"),
        ("CREATE TABLE t (id integer)", "COMMENT ON COLUMN public.t.id IS 'x'"),
        ("CREATE TABLE t (id integer CONSTRAINT c CHECK (id > 1))", "COMMENT ON CONSTRAINT c ON public.t IS 'x'"),
        ("CREATE FOREIGN DATA WRAPPER w", "COMMENT ON FOREIGN DATA WRAPPER w IS 'x'"),
        ("CREATE TABLE t (a integer, b integer); CREATE STATISTICS s ON a, b FROM t", "COMMENT ON STATISTICS public.s IS 'x'"),
        ("CREATE TYPE c AS (a integer)", "COMMENT ON TYPE public.c IS 'x'"),
    ],
)
def test_a_comment_is_written_as_it_was_made(any_database: Database, setup: str, definition: str) -> None:
    any_database.execute(f"{setup}; {definition}")
    assert [text for _, text in read(any_database).of_kind("comment")] == [definition]


@pytest.mark.usefixtures("roles")
def test_a_class_with_objects_is_found_by_its_trace(any_database: Database) -> None:
    """The query of a class without a trace is not run."""
    any_database.execute(RICH)
    version = any_database.query("SELECT current_setting('server_version_num')::integer")[0][0] // 10000
    for each in CLASSES:
        if each.since <= version <= each.until and any_database.query(each.query):
            assert any_database.query(f"SELECT EXISTS (SELECT {each.trace})") == [(True,)], each.title


def test_an_empty_database_has_no_traces(any_database: Database) -> None:
    """Otherwise its query would be run on every database."""
    traced = [each for each in CLASSES if each.trace]
    found = [each.title for each in traced if any_database.query(f"SELECT EXISTS (SELECT {each.trace})") == [(True,)]]
    assert found == []


@pytest.mark.usefixtures("roles")
def test_texts_that_are_read_without_a_look_up_are_those_of_the_server(any_database: Database) -> None:
    """A name is composed, and a default is read without its table."""
    any_database.execute(RICH + _UNUSUAL)
    with any_database.connect() as connection:
        connection.execute("SET search_path = pg_catalog, pg_temp")
        names = {name for (name,) in connection.execute("SELECT oid::regclass::text FROM pg_class")}
        defaults = connection.execute(_DEFAULTS).fetchall()
        objects = read_catalog(connection).objects
    seen = {
        key.name for key in objects if key.kind in ("table", "foreign table", "view", "materialized view", "index", "sequence")
    }
    assert seen <= names
    assert seen >= {'"Odd"."select"', '"Odd"."user"'}
    assert len(defaults) > 5
    for table, column, default in defaults:
        assert f"DEFAULT {default}" in objects[Key("column", column, table)]


_UNUSUAL = """;
    CREATE SCHEMA "Odd";
    CREATE TYPE "Odd"."Mood" AS ENUM ('a', 'b');
    CREATE FUNCTION "Odd"."F"(integer, text DEFAULT 'x') RETURNS integer LANGUAGE sql AS 'SELECT $1';
    CREATE SEQUENCE "Odd"."S";
    CREATE TABLE "Odd"."select" (
        "Id" bigint DEFAULT nextval('"Odd"."S"'),
        mood "Odd"."Mood" DEFAULT 'a',
        moods "Odd"."Mood"[] DEFAULT ARRAY['a', 'b']::"Odd"."Mood"[],
        number integer DEFAULT "Odd"."F"(3) + CASE WHEN current_user = 'x' THEN 1 ELSE 2 END,
        day date DEFAULT (now() AT TIME ZONE 'UTC')::date - interval '1 day',
        name varchar(9) DEFAULT 'it''s' COLLATE "C",
        twice integer GENERATED ALWAYS AS (number * 2) STORED
    );
    CREATE INDEX "user" ON "Odd"."select" (name);
"""
_DEFAULTS = """
    SELECT adrelid::regclass::text, quote_ident(attname), pg_get_expr(adbin, adrelid)
    FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE attgenerated = '' AND adrelid::regclass::text LIKE '"Odd".%'
"""
