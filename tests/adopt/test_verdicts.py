"""Difficult cases: names that are used twice, and objects that are created and dropped again."""

from dataclasses import dataclass

import pytest

from tasks.adopt.investigate import investigate
from tasks.catalog import Catalog
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import replay
from tasks.rehearsal.scratch.server import ScratchServer

_KINDS = {"P": "present", "A": "absent", "S": "superseded", "?": "cannot tell", "~": "partial"}


@dataclass(frozen=True)
class VerdictCase:
    """Files, which of them were applied (x), and the verdict on each: P, A, S, ~ for partial, ? for cannot tell."""

    applied: str
    verdicts: str
    files: tuple[str, ...]


T = "CREATE TABLE t (id int);"
T_AGAIN = "CREATE TABLE IF NOT EXISTS t (id int);"
T_OTHER = "CREATE TABLE IF NOT EXISTS t (id int, more text);"

CASES = {
    "created twice alike": VerdictCase("x.", "??", (T_AGAIN, T_AGAIN)),
    "created twice, the second came": VerdictCase(".x", "AP", (T_AGAIN, T_OTHER)),
    "created twice, the first came": VerdictCase("x.", "P?", (T_AGAIN, T_OTHER)),
    "created twice alike, with a sequence that none names": VerdictCase(
        "x.", "??", ("CREATE TABLE IF NOT EXISTS s (id serial);",) * 2
    ),
    "created twice, with a sequence that none names": VerdictCase(
        ".x", "AP", ("CREATE TABLE IF NOT EXISTS s (id serial);", "CREATE TABLE IF NOT EXISTS s (id serial, more int);")
    ),
    "dropped later": VerdictCase("xx", "??", (T, "DROP TABLE t;")),
    "not dropped yet": VerdictCase("x.", "PA", (T, "DROP TABLE t;")),
    "changed in type and back": VerdictCase(
        "xxx",
        "P??",
        (T, "ALTER TABLE t ALTER COLUMN id TYPE bigint;", "ALTER TABLE t ALTER COLUMN id TYPE int;"),
    ),
    "changed in type, not yet back": VerdictCase(
        "xx.",
        "PPA",
        (T, "ALTER TABLE t ALTER COLUMN id TYPE bigint;", "ALTER TABLE t ALTER COLUMN id TYPE int;"),
    ),
    "the same index under two names": VerdictCase(
        "x.x", "PAP", (T, "CREATE INDEX one ON t (id);", "CREATE INDEX two ON t (id);")
    ),
    "a view over a changed column": VerdictCase(
        "xxx",
        "PPP",
        (T, "CREATE VIEW v AS SELECT id FROM t;", "ALTER TABLE t RENAME COLUMN id TO number;"),
    ),
    "labels added to an enum": VerdictCase(
        "xx.", "PPA", ("CREATE TYPE e AS ENUM ('a');", "ALTER TYPE e ADD VALUE 'b';", "ALTER TYPE e ADD VALUE 'c';")
    ),
    "a column renamed": VerdictCase("xx", "PP", (T, "ALTER TABLE t RENAME COLUMN id TO number;")),
    "a table renamed": VerdictCase("xx", "SP", (T, "ALTER TABLE t RENAME TO renamed;")),
    "a function replaced": VerdictCase(
        ".x",
        "SP",
        tuple(f"CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT {number}';" for number in (1, 2)),
    ),
    "rows only": VerdictCase("xx", "P?", (T, "INSERT INTO t VALUES (1);")),
    "a file that needs the rows of one before it": VerdictCase(
        "xxxxx",
        "P?PPP",
        (
            T,
            "INSERT INTO t VALUES (1);",
            "ALTER TABLE t ADD n int; DO $$ BEGIN ASSERT (SELECT count(*) FROM t) = 1; END $$;",
            "ALTER TABLE t ADD a int;",
            "CREATE INDEX i ON t (n, a);",
        ),
    ),
    "rows only, without their table": VerdictCase("..x", "AAP", (T, "INSERT INTO t VALUES (1);", "CREATE TABLE u (id int);")),
    "fails after another": VerdictCase("x.", "PA", (T, "CREATE TABLE t (id int, more text);")),
    "fails wherever it is tried": VerdictCase("x.", "PA", (T, "CREATE TABLE nowhere.t (id int);")),
    "fails after another, which was not applied": VerdictCase(".x", "AP", (T, "CREATE TABLE t (id int, more text);")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_evidence_determines_each_verdict(scratch: ScratchServer, case: VerdictCase) -> None:
    migrations = make_migrations(case.files)
    found = investigate(scratch, migrations, make_live(scratch, migrations, case.applied))
    assert [verdict.kind for verdict in found.verdicts] == [_KINDS[sign] for sign in case.verdicts]
    assert found.proved


def test_an_assumption_decides_an_ambiguous_verdict(scratch: ScratchServer) -> None:
    migrations = make_migrations((T, "DROP TABLE t;"))
    live = make_live(scratch, migrations, "xx")
    found = investigate(scratch, migrations, live, forced={"f0": True})
    assert [verdict.kind for verdict in found.verdicts] == ["superseded", "present"]
    excluded = investigate(scratch, migrations, live, forced={"f1": False})
    assert [verdict.kind for verdict in excluded.verdicts] == ["absent", "absent"]


def test_an_assumption_does_not_override_the_schema(scratch: ScratchServer) -> None:
    migrations = make_migrations((T, "CREATE TABLE u (id int);"))
    found = investigate(scratch, migrations, make_live(scratch, migrations, "x."), forced={"f1": True, "f0": True})
    assert [verdict.kind for verdict in found.verdicts] == ["present", "absent"]
    assert found.contradicted == ("f1",)


def test_half_of_a_file_run_by_hand_is_partial_with_both_halves_listed(scratch: ScratchServer) -> None:
    migrations = make_migrations((T, "CREATE INDEX one ON t (id);\nCREATE INDEX two ON t (id);"))
    found = investigate(scratch, migrations, read_after(scratch, T, "CREATE INDEX two ON t (id);"))
    verdict = found.verdicts[1]
    assert verdict.kind == "partial"
    assert verdict.there == ("index public.two of public.t",)
    assert verdict.lacking == ("index public.one of public.t",)
    assert not found.proved


def test_an_unexplained_object_is_reported_and_changes_no_verdict(scratch: ScratchServer) -> None:
    migrations = make_migrations((T, "CREATE TABLE u (id int);"))
    found = investigate(
        scratch, migrations, read_after(scratch, T, "CREATE TABLE by_hand ();", "ALTER TABLE t ADD COLUMN odd int;")
    )
    assert [verdict.kind for verdict in found.verdicts] == ["present", "absent"]
    assert "table public.by_hand" in found.strangers
    assert "column odd of public.t" in found.strangers


def make_migrations(texts: tuple[str, ...]) -> tuple[RehearsedMigration, ...]:
    return tuple(RehearsedMigration(f"f{number}", text) for number, text in enumerate(texts))


def make_live(scratch: ScratchServer, migrations: tuple[RehearsedMigration, ...], applied: str) -> Catalog:
    return read_after(scratch, *(migration.up for migration, mark in zip(migrations, applied, strict=True) if mark == "x"))


def read_after(scratch: ScratchServer, *texts: str) -> Catalog:
    outcomes = list(replay(scratch, [RehearsedMigration(f"by hand {number}", text) for number, text in enumerate(texts)]))
    assert [outcome.error for outcome in outcomes] == [None] * len(texts)
    return outcomes[-1].after


def test_a_file_that_fails_on_scratch_stays_undecided_if_an_object_is_unexplained(scratch: ScratchServer) -> None:
    migrations = make_migrations((T, "CREATE TABLE nowhere.t (id int);"))
    live = read_after(scratch, T, "CREATE SCHEMA nowhere; CREATE TABLE nowhere.t (id int);")
    verdict = investigate(scratch, migrations, live).verdicts[1]
    assert verdict.kind == "cannot tell"
    assert 'schema "nowhere" does not exist' in verdict.reason
