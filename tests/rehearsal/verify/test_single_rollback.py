"""The proof that one migration can be rolled back under later ones."""

import pytest

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.verify.single_rollback import SingleRollback
from tasks.runner.errors import RefusedError

V = "20250102000000_target"
Pair = tuple[str, str | None]
BASE: Pair = ("CREATE TABLE acc (id int PRIMARY KEY, cents int);", "DROP TABLE acc;")


def build(target: Pair, *later: Pair, base: Pair = BASE) -> tuple[RehearsedMigration, ...]:
    pairs = [("20250101000000_base", base), (V, target)]
    pairs += [(f"2025010{number}000000_later", pair) for number, pair in enumerate(later, 3)]
    return tuple(RehearsedMigration(name, up, down, f"up/{name}.sql") for name, (up, down) in pairs)


@pytest.mark.parametrize(
    ("target", "later"),
    [
        (("CREATE TABLE t (id int);", "DROP TABLE t;"), ("CREATE TABLE u (id int);", "DROP TABLE u;")),
        (("ALTER TABLE acc ADD COLUMN a int;", "ALTER TABLE acc DROP COLUMN a;"), ("ALTER TABLE acc ADD COLUMN b int;", None)),
        (("CREATE INDEX CONCURRENTLY i ON acc (cents);", "DROP INDEX CONCURRENTLY i;"), ("CREATE TABLE u (id int);", None)),
        (("INSERT INTO acc VALUES (-1, 5);", "DELETE FROM acc WHERE id = -1;"), ("INSERT INTO acc VALUES (-2, 6);", None)),
        (
            ("CREATE TABLE t (at timestamptz DEFAULT now()); INSERT INTO t DEFAULT VALUES;", "DROP TABLE t;"),
            ("CREATE TABLE u (at timestamptz DEFAULT clock_timestamp()); INSERT INTO u DEFAULT VALUES;", None),
        ),
        # What its down leaves when it is the newest is its own.
        (("CREATE TABLE t (id int); CREATE TABLE t2 (id int);", "DROP TABLE t;"), ("CREATE TABLE u (id int);", None)),
    ],
)
def test_an_independent_migration_is_proved(scratch: ScratchServer, target: Pair, later: Pair) -> None:
    proof = SingleRollback(scratch, build(target, later), V).prove()
    assert (proof.version, proof.later) == (V, ("20250103000000_later",))


@pytest.mark.parametrize(
    ("target", "needing", "says"),
    [
        (
            ("CREATE TABLE t (id int PRIMARY KEY);", "DROP TABLE t;"),
            "CREATE TABLE u (t int REFERENCES t);",
            "its down text fails",
        ),
        (("CREATE TABLE t (id int);", "DROP TABLE t CASCADE;"), "CREATE VIEW w AS SELECT * FROM t;", "fails without it"),
        (
            ("ALTER TABLE acc ADD COLUMN a int;", "ALTER TABLE acc DROP COLUMN a;"),
            "CREATE INDEX j ON acc (a);",
            "fails without it",
        ),
        (
            ("ALTER TABLE acc ADD COLUMN a int;", "ALTER TABLE acc DROP COLUMN IF EXISTS a;"),
            "ALTER TABLE acc RENAME COLUMN a TO b;",
            "fails without it",
        ),
        (("CREATE TABLE t (id int);", "DROP TABLE t;"), "CREATE TABLE IF NOT EXISTS t (id int);", "- table public.t"),
        (
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", "DROP FUNCTION f();"),
            "CREATE TABLE u (id int DEFAULT f());",
            "its down text fails",
        ),
        # Only rows depend on it: on scratch, generated ones.
        (
            ("UPDATE acc SET cents = cents * 100;", "UPDATE acc SET cents = cents / 100;"),
            "UPDATE acc SET cents = cents + 5;",
            "values of column cents",
        ),
        (
            ("INSERT INTO acc VALUES (-1, 5);", "DELETE FROM acc WHERE id = -1;"),
            "INSERT INTO acc SELECT -2, cents FROM acc WHERE id = -1;",
            "rows of public.acc",
        ),
    ],
)
def test_what_a_later_migration_needs_is_refused(scratch: ScratchServer, target: Pair, needing: str, says: str) -> None:
    with pytest.raises(RefusedError) as refused:
        SingleRollback(scratch, build(target, (needing, None)), V).prove()
    assert "20250103000000_later was applied after it and needs it" in refused.value.message
    assert says in refused.value.message


def test_the_first_of_several_that_need_it_is_named(scratch: ScratchServer) -> None:
    target = ("CREATE TABLE t (id int);", "DROP TABLE t;")
    later = [("CREATE TABLE other (id int);", None), ("CREATE VIEW w AS TABLE t;", None), ("CREATE VIEW w2 AS TABLE t;", None)]
    with pytest.raises(RefusedError, match="20250104000000_later was applied after it and needs it"):
        SingleRollback(scratch, build(target, *later), V).prove()


def test_rows_on_which_a_later_migration_fails_are_reported(scratch: ScratchServer) -> None:
    later = ("ALTER TABLE acc ADD CHECK (cents IS NULL);", None)
    proof = SingleRollback(scratch, build(("CREATE TABLE t (id int);", "DROP TABLE t;"), later), V).prove()
    assert any("generated rows were not tried: 20250103000000_later fails" in note for note in proof.unchecked)


def test_a_history_that_cannot_be_replayed_is_refused(scratch: ScratchServer) -> None:
    with pytest.raises(RefusedError, match="cannot be replayed"):
        SingleRollback(scratch, build(("CREATE TABLE t (id int);", "DROP TABLE t;"), ("SELECT 1/0;", None)), V).prove()
