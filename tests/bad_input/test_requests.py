"""Invalid commands, and files that were changed after they ran."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.refusals import MARK, NEXT, V, refuse_unchanged, snapshot
from tests.kit.databases import Database
from tests.kit.projects import Project

LATE = "20240101000000_late"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("migrate", "--nope"), "--nope"),
        (("migrat",), "migrat"),
        (("rollback", "--steps", "x"), "'x' is not a whole number of at least 1"),
        (("rollback", "--steps", "-1"), "'-1' is not a whole number of at least 1"),
        (("status", "--limit", "9" * 5000), "--limit"),
    ],
)
def test_an_invalid_command_line_ends_with_2(
    project: Project, database: Database, arguments: tuple[str, ...], message: str
) -> None:
    before = snapshot(database)
    result = project.migrate(*arguments, check=2)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert snapshot(database) == before


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (("migrate", "--to", "20250101000000_frist"), "there is no version 20250101000000_frist", f"Did you mean {V}"),
        (("migrate", "--to", "2025"), f"2025 matches 2 versions: {V}, {NEXT}", "Write more digits"),
        (("rollback", "--to", "nowhere"), "there is no version nowhere", "db.status lists the versions"),
        (("rollback", "--to", V, "--steps", "2"), "--steps and --to contradict each other", "Use one of them"),
    ],
)
def test_an_unknown_version_is_reported_with_similar_ones(
    project: Project, database: Database, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    project.write_up(V, "SELECT 1;")
    project.migrate(check=0)
    project.write_up(NEXT, MARK)
    refusal = refuse_unchanged(project, database, *arguments, code=2)
    assert refusal.error.message == message
    assert hint in refusal.error.hint


def edit(project: Project) -> None:
    project.write_up(V, "CREATE TABLE first (a int, b int);")


def come_late(project: Project) -> None:
    project.write_up(LATE, MARK)


def make_irreversible(project: Project) -> None:
    project.write_down(V, "-- migrate: irreversible the rows are gone\n")


def spoil_down(project: Project) -> None:
    project.write_down(V, b"DROP TABLE first; -- \xfc")


@pytest.mark.parametrize(
    ("prepare", "arguments", "message", "hint"),
    [
        (edit, ("migrate",), f"{V} differs from the text that was applied", "inv db.repair"),
        (come_late, ("migrate", "--strict"), f"{LATE} is older than {V}", "without --strict"),
        (make_irreversible, ("rollback",), f"{V} cannot be rolled back: the rows are gone", "inv db.new"),
        (spoil_down, ("rollback",), f"down/{V}.sql:1 is not UTF-8: byte 0xfc", "Save it as UTF-8"),
        (lambda _: None, ("rollback",), f"{V} cannot be rolled back: there is no down file", "Write migrations/down"),
        (
            lambda _: None,
            ("migrate", "--env", "staging"),
            "this run is for staging, but the database belongs to prod",
            "--env",
        ),
    ],
    ids=["edited", "late", "irreversible", "latin1", "no_down", "environment"],
)
def test_a_command_that_must_not_run_is_refused(
    project: Project,
    database: Database,
    prepare: Callable[[Project], None],
    arguments: tuple[str, ...],
    message: str,
    hint: str,
) -> None:
    project.write_up(V, "CREATE TABLE first (a int);")
    project.migrate("migrate", "--env", "prod", check=0)
    project.write_up(NEXT, MARK)
    prepare(project)
    if arguments == ("rollback",):
        (project.migrations / "up" / f"{NEXT}.sql").unlink()
    refusal = refuse_unchanged(project, database, *arguments)
    assert message in refusal.error.message
    assert hint in refusal.error.hint


def test_an_edited_file_is_shown_as_a_diff_and_found_by_a_check(project: Project) -> None:
    project.write_up(V, "CREATE TABLE first (a int);\n")
    project.migrate(check=0)
    project.write_up(V, "CREATE TABLE first (a int, b text);\n")
    for arguments, code in ((("migrate",), 3), (("status", "--check"), 4)):
        shown = project.migrate(*arguments, check=code).stdout
        assert "-CREATE TABLE first (a int);" in shown
        assert "+CREATE TABLE first (a int, b text);" in shown
        assert f"+++ migrations/up/{V}.sql now" in shown


def test_an_applied_file_that_is_no_longer_text_is_still_reported(project: Project) -> None:
    path = project.write_up(V, "CREATE TABLE first (a int);\n")
    project.migrate(check=0)
    path.write_bytes(b"\xff\xfe\0")
    shown = project.migrate("status", "--check", check=4).stdout
    assert f"migrations/up/{V}.sql:1 is not UTF-8" in shown


def test_a_migration_that_the_checkout_lacks_is_named_and_rolls_back_by_its_stored_text(
    project: Project, database: Database
) -> None:
    files: list[Path] = [project.write_up(V, MARK), project.write_down(V, "DROP TABLE mark;")]
    project.migrate(check=0)
    for file in files:
        file.unlink()
    assert f"{V} (missing): is applied, but this checkout has no file for it" in project.migrate(check=0).stdout
    project.migrate("status", "--check", check=4)
    project.migrate("rollback", check=0)
    assert database.query("SELECT to_regclass('mark'), count(*) FROM schema_migrations") == [(None, 0)]
