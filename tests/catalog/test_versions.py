"""The same schema on two versions of the server is read as the same."""

import pytest

from tasks.catalog import Catalog, compare, read_catalog, show_difference
from tasks.catalog.normalising import normalise
from tests.catalog.conftest import READER, RICH
from tests.kit.databases import Database
from tests.migrations.gaia import UP, VERSIONS

WITH_VECTORS = ("enable_vector_extension", "add_embeddings_to_semantic_chunks", "index_semantic_chunk_embeddings")
"""Migrations that need pgvector, which the machine's server may not have."""

Pair = tuple[Database, Database]


def read(database: Database) -> Catalog:
    with database.connect() as connection:
        return read_catalog(connection)


def differ(pair: Pair) -> list[str]:
    new, old = map(read, pair)
    return list(show_difference(compare(old, new)))


def test_a_schema_with_everything_is_the_same_on_both_servers(pair: Pair) -> None:
    for database in pair:
        database.execute(RICH)
    assert differ(pair) == []
    new, old = map(read, pair)
    assert new == old
    assert new.fingerprint == old.fingerprint
    assert new.server_version != old.server_version


def test_a_schema_with_everything_has_all_kinds(pair: Pair) -> None:
    pair[0].execute(RICH)
    kinds = {key.kind for key in read(pair[0]).objects}
    assert kinds >= {
        *(
            "schema",
            "extension",
            "type",
            "domain",
            "sequence",
            "table",
            "foreign table",
            "column",
            "column order",
            "column settings",
        ),
        *(
            "constraint",
            "index",
            "view",
            "materialized view",
            "function",
            "procedure",
            "aggregate",
            "trigger",
            "rule",
            "statistics",
        ),
        *("row security", "policy", "grant", "default privilege", "comment", "publication", "event trigger", "server"),
        *("foreign-data wrapper", "user mapping", "replica identity", "clustering", "operator", "collation"),
    }


def test_all_migrations_that_both_servers_can_run_make_the_same_schema(pair: Pair) -> None:
    versions = [version for version in VERSIONS if not version.endswith(WITH_VECTORS)]
    for database in pair:
        for version in versions:
            database.execute((UP / f"{version}.sql").read_text(encoding="utf-8"))
    assert differ(pair) == []
    assert len(read(pair[0])) > 300


@pytest.fixture
def pair_before_maintain(pair: Pair) -> Pair:
    """Return a pair whose older server does not have the privilege MAINTAIN."""
    with pair[1].connect() as connection:
        if connection.info.server_version >= 170000:
            pytest.skip("PostgreSQL 17 and later have MAINTAIN")
    return pair


def test_all_privileges_are_the_same_although_a_later_version_added_one(pair_before_maintain: Pair) -> None:
    new, old = pair_before_maintain
    for database in (new, old):
        database.execute("CREATE TABLE t (id integer); CREATE TABLE u (id integer); CREATE TABLE v (id integer)")
        database.execute(f"GRANT ALL ON t TO {READER}; REVOKE ALL ON u FROM CURRENT_USER")
    old.execute(f"GRANT ALL ON v TO {READER}")
    new.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON v TO {READER}")
    assert differ((new, old)) == []


def test_a_privilege_that_only_the_newer_server_has_is_no_difference(pair_before_maintain: Pair) -> None:
    new, old = pair_before_maintain
    for database in (new, old):
        database.execute(f"CREATE TABLE t (id integer); CREATE TABLE u (id integer); GRANT SELECT ON u TO {READER}")
    new.execute(f"GRANT MAINTAIN ON t TO {READER}; GRANT MAINTAIN ON u TO {READER}; GRANT INSERT ON t TO {READER}")
    changes = [f"- grant {READER} of public.t", f"    - GRANT INSERT ON TABLE public.t TO {READER}"]
    assert list(show_difference(compare(read(new), read(old)))) == changes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AS SELECT t.a\n   FROM public.t", "AS SELECT a\n   FROM public.t"),
        ("AS SELECT t.a, 't.a' AS b FROM public.t t", "AS SELECT a, 't.a' AS b FROM public.t t"),
        ("AS SELECT t.* FROM public.t", "AS SELECT t.* FROM public.t"),
        ("AS SELECT t.a FROM t.t WHERE (t.b = 'x'::t.mood)", "AS SELECT a FROM t.t WHERE (b = 'x'::t.mood)"),
        ("AS SELECT t.a, u.b FROM public.t, public.u", "AS SELECT t.a, u.b FROM public.t, public.u"),
        ('AS SELECT "T ""x".a FROM public."T ""x"', 'AS SELECT a FROM public."T ""x"'),
        (
            "AS SELECT t.a FROM public.t UNION SELECT u.a FROM u",
            "AS SELECT t.a FROM public.t UNION SELECT u.a FROM u",
        ),
        ("AS SELECT ( SELECT t.a FROM x) AS b, t.c FROM public.t", "AS SELECT ( SELECT t.a FROM x) AS b, c FROM public.t"),
        ("AS SELECT 1 AS a", "AS SELECT 1 AS a"),
    ],
)
def test_a_view_loses_the_names_that_version_16_no_longer_writes(old: str, new: str) -> None:
    assert normalise("view", old, 150000) == new
    assert normalise("view", new, 160000) == new


def test_quotes_in_the_body_of_a_function_are_kept() -> None:
    function = 'CREATE OR REPLACE FUNCTION public.f("json" text)\nAS $function$SELECT "json"$function$'
    assert normalise("function", function, 180000) == function.replace('f("json"', "f(json")


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ("CHECK ((((a >= 0) AND (a <= 2)) AND b))", "CHECK (((a >= 0) AND (a <= 2) AND b))"),
        ("((((a OR b) OR c) OR d) AND e)", "((a OR b OR c OR d) AND e)"),
        ("((a AND (b AND c)) AND d)", "(a AND (b AND c) AND d)"),
        ("((a AND b) OR (c AND d))", "((a AND b) OR (c AND d))"),
        ("((a = '((b AND c) AND d)') AND e)", "((a = '((b AND c) AND d)') AND e)"),
    ],
)
def test_conditions_are_read_as_they_are_written_after_a_replay(written: str, again: str) -> None:
    assert normalise("constraint", written, 180000) == again
