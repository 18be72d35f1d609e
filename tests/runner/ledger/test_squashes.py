"""Versions that became one: who has them all runs nothing, who has some is refused, and who has none runs the one."""

import pytest

from tasks.runner.errors import FilesError, RefusedError
from tasks.runner.ledger.renames import Renames, read_renames, read_targets, write_renames
from tasks.runner.ledger.squashes import Squash, Squashed, resolve_squashes
from tests.runner.operating import A, B, C, Operator, list_done

ONE = "20250102000000_squashed_schema"
LATER = "20250103000000_squashed_schema"
ONE_TEXT = "CREATE TABLE a (id int); CREATE TABLE b (id int);"


def squash(operator: Operator, checksum: str = "") -> None:
    """Squash A and B into one migration; the first had another name before."""
    for version in (A, B):
        operator.remove(version)
    path = operator.project.write_up(ONE, ONE_TEXT)
    renames = Renames({"001_a": A}, squashed={ONE: Squash((A, B), checksum or _sum(path.read_bytes()))})
    (operator.project.migrations / "renames.toml").write_text(write_renames(renames))


def _sum(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("first", [A, "001_a", "001_a.sql"])
def test_a_database_that_has_all_of_them_runs_nothing(operator: Operator, first: str) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    operator.database.execute("UPDATE schema_migrations SET version = %s WHERE version = %s", first, A)
    squash(operator)
    assert operator.read_states() == {ONE: "applied"}
    assert list_done(operator.migrate()) == []
    assert operator.read_applied() == [ONE]
    assert operator.database.query("SELECT count(*) FROM schema_migrations_scripts WHERE version = %s", ONE) == [(0,)]
    notes = operator.database.query("SELECT note FROM schema_migrations_log WHERE action = 'rename' ORDER BY id")
    assert notes == [(f"was {first}",), (f"dropped: {B}",)]
    assert operator.read_states() == {ONE: "applied"}
    assert list_done(operator.migrate()) == []


def test_later_files_run_after_it(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    squash(operator)
    operator.write_tables(C)
    assert list_done(operator.migrate()) == [C]
    assert operator.read_applied() == [ONE, C]


def test_a_database_with_only_some_of_them_is_refused_and_the_missing_ones_are_named(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    squash(operator)
    with pytest.raises(
        RefusedError, match=f"{ONE} replaces 2 migrations, of which this database has only 1; it lacks {B}"
    ) as refused:
        operator.migrate()
    assert "the revision before the squash" in refused.value.hint
    assert operator.read_applied() == [A]
    assert operator.read_tables() == ["a"]


def test_an_empty_database_runs_the_one(operator: Operator) -> None:
    squash(operator)
    assert list_done(operator.migrate()) == [ONE]
    assert operator.read_tables() == ["a", "b"]


def test_a_file_that_was_changed_since_it_was_proved_is_edited(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    squash(operator)
    operator.project.write_up(ONE, f"{ONE_TEXT} CREATE TABLE more ();")
    assert operator.read_states() == {ONE: "edited"}


def test_what_is_written_is_read_again(operator: Operator) -> None:
    squash(operator)
    folder = operator.project.migrations
    read = read_renames(folder, [ONE])
    assert read.versions == {"001_a": ONE, A: ONE, B: ONE}
    assert read.parts == {"001_a": A, A: A, B: B}
    assert write_renames(read) == (folder / "renames.toml").read_text()
    assert read_targets(folder) == {ONE}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'[squashed."{ONE}"]\nversions = ["x"]', "[squashed] needs versions, a list of names, and checksum"),
        (f'[squashed."{ONE}"]\nversions = "x"\nchecksum = "1"', "[squashed] needs versions, a list of names, and checksum"),
        (f'[squashed."{ONE}"]\nversions = ["{A}"]\nchecksum = "1"', f"{A}: is the name of an existing file"),
        (f'[squashed."{LATER}"]\nversions = ["{B}"]\nchecksum = "1"', f"{B}: no file for {LATER}"),
    ],
)
def test_a_squash_that_cannot_be_used_is_refused_with_its_error(operator: Operator, text: str, problem: str) -> None:
    (operator.project.migrations / "renames.toml").write_text(text)
    with pytest.raises(FilesError) as refused:
        read_renames(operator.project.migrations, [ONE, A])
    assert problem in refused.value.message


SQUASHES = {ONE: Squash((A, B), ""), LATER: Squash((ONE, C), "")}


@pytest.mark.parametrize(
    ("names", "squashed"),
    [
        ((), Squashed({}, {})),
        ((A, B), Squashed({A: ONE, B: ONE}, {LATER: ((ONE,), (C,))})),
        ((A, B, C), Squashed({A: LATER, B: LATER, ONE: LATER, C: LATER}, {})),
        ((ONE, C), Squashed({ONE: LATER, C: LATER}, {})),
        ((ONE, A), Squashed({A: ONE}, {LATER: ((ONE,), (C,))})),
        ((A, C), Squashed({}, {ONE: ((A,), (B,)), LATER: ((C,), (ONE,))})),
        ((LATER,), Squashed({}, {})),
    ],
)
def test_a_squash_may_be_part_of_a_later_one(names: tuple[str, ...], squashed: Squashed) -> None:
    assert resolve_squashes(names, SQUASHES) == squashed
