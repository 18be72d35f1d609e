"""What pg_dump shows is as it is wanted after a generated migration, also where a comparison of schemas does not count it."""

import subprocess

import pytest

from tasks.catalog import Key
from tasks.rehearsal.sql_diff import write_pair
from tasks.rehearsal.sql_diff.details.blocks import order_names
from tasks.rehearsal.sql_diff.details.finding import find_details
from tasks.rehearsal.sql_diff.details.parameters import change_parameters
from tasks.rehearsal.sql_diff.details.server_names import is_named_by_server
from tests.kit.databases import Database, fresh_database
from tests.rehearsal.sql_diff.detail_cases import CASES
from tests.rehearsal.sql_diff.exact import make, read, run, show

_WITH_NULLS = 180000


def dump(database: Database) -> set[str]:
    """Return the statements of pg_dump."""
    program = database.server.cluster.programs / "pg_dump"
    command = [str(program), "--schema-only", f"--dbname={database.url}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in text.splitlines() if not line.startswith(("--", "\\"))]
    return {statement.strip() for statement in "\n".join(lines).split(";\n")}


def build(database: Database, side: str) -> None:
    """Make the schemas of all cases."""
    for name, case in CASES.items():
        make(database, f"CREATE SCHEMA {name}; SET search_path = {name}; {getattr(case, side)}")
    database.execute("RESET search_path")


def leave_out(statements: set[str], kept: set[Key]) -> set[str]:
    """Return statements without those for tables that keep a name."""
    return {text for text in statements if not any(f"CREATE TABLE {key.parent} (" in text for key in kept)}


def test_pg_dump_shows_the_wanted_schema_both_ways(database: Database) -> None:
    build(database, "old")
    before, dumped = read(database), dump(database)
    with fresh_database(database.server) as another:
        build(another, "new")
        after, wanted = read(another), dump(another)
    pair = write_pair(before, after, name="change", heading="Change", recreate=True)
    inherited = {key for case in CASES.values() for key in case.kept if key.kind != "local not null"}
    local = {key for case in CASES.values() for key in case.kept} - inherited
    has_names = after.server_version >= _WITH_NULLS
    assert {*pair.written.kept} == (inherited if has_names else set())
    assert {*pair.undone.kept} == (inherited | local if has_names else set())
    run(database, pair.up)
    assert show(read(database), after) == []
    assert leave_out(dump(database), inherited) == leave_out(wanted, inherited)
    run(database, pair.down)
    assert show(read(database), before) == []
    assert leave_out(dump(database), inherited | local) == leave_out(dumped, inherited | local)
    run(database, pair.up)
    assert find_details(read(database), after).keys() == {*pair.written.kept}


@pytest.mark.only_newest  # NOT NULL has a name since 18.
def test_a_name_that_has_another_history_is_found(database: Database) -> None:
    make(database, "CREATE TABLE t (a int NOT NULL); CREATE DOMAIN d AS text NOT NULL")
    before = read(database)
    with fresh_database(database.server) as another:
        make(another, "CREATE TABLE t (a int CONSTRAINT an NOT NULL); CREATE DOMAIN d AS text CONSTRAINT dn NOT NULL")
        after = read(another)
    pair = write_pair(before, after, name="change", heading="Change")
    make(database, "ALTER TABLE t RENAME CONSTRAINT t_a_not_null TO old; ALTER DOMAIN d RENAME CONSTRAINT d_not_null TO old")
    run(database, pair.up)
    assert find_details(read(database), after) == {}
    run(database, pair.up)
    assert find_details(read(database), after) == {}


def test_the_names_that_the_server_chooses_are_known(database: Database) -> None:
    long = "l" * 40
    make(
        database,
        f"""CREATE TABLE p (a int, "B c" text, {long} text) PARTITION BY LIST (a);
        CREATE TABLE p{long} PARTITION OF p FOR VALUES IN (1);
        CREATE TABLE "Other" PARTITION OF p DEFAULT;
        ALTER TABLE p ADD PRIMARY KEY (a), ADD UNIQUE ("B c", a);
        CREATE INDEX ON p ({long}, "B c" DESC);
        CREATE UNIQUE INDEX ON p (a, lower("B c")) INCLUDE ({long}) WHERE a > 0;
        CREATE INDEX ON p (lower({long}) COLLATE "C", upper("B c"), lower("B c"), (a + 1), ("B c" || 'x'))""",
    )
    derived = {key: text for key, text in read(database).derived.items() if "ATTACH PARTITION" in text}
    assert len(derived) == 10
    assert [key.name for key, text in derived.items() if not is_named_by_server(key, text)] == []


@pytest.mark.parametrize(
    ("changes", "taken", "ordered", "left"),
    [
        ({1: ("a", "b")}, "a", [(1, "b")], []),
        ({1: ("a", "b"), 2: ("b", "c")}, "ab", [(2, "c"), (1, "b")], []),
        ({1: ("a", "b"), 2: ("b", "a")}, "ab", [(1, "b_0"), (2, "a"), (1, "b")], []),
        ({1: ("a", "b"), 2: ("b", "c")}, "abc", [], [2, 1]),
    ],
)
def test_renames_are_in_the_order_in_which_names_are_free(
    changes: dict[int, tuple[str, str]], taken: str, ordered: list[tuple[int, str]], left: list[int]
) -> None:
    assert order_names(changes, {*taken}) == (ordered, left)


@pytest.mark.parametrize(
    ("old", "new", "actions"),
    [
        ("a=1 b=2", "a=1 b=2", []),
        ("a=1", "a=1 b=2", ["SET (b=2)"]),
        ("a=1 b=2", "b=2 a=1", ["SET (a=1)"]),
        ("a=1 b=2", "a=3 b=2", ["SET (a=3, b=2)"]),
        ("a=1 b=2 c=3", "c=4", ["RESET (a, b)", "SET (c=4)"]),
    ],
)
def test_only_the_last_parameters_are_set(old: str, new: str, actions: list[str]) -> None:
    assert change_parameters(old.split(), new.split()) == actions
