"""scripts/migrate.py as a process: its output, its JSON lines, its exit codes."""

import os
import re
import sys
from pathlib import Path

import pytest

from tasks.runner.events import (
    ErrorRaised,
    Event,
    HistoryRead,
    RunFinished,
    RunStarted,
    StatusRead,
    from_json,
)
from tests.kit.databases import Database
from tests.kit.dialogues import run_dialogue
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B, C, Operator

NOISY = "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$;"


def read_words(output: str) -> list[str]:
    """Return the lines of an output, with the parts that vary replaced."""
    output = re.sub(r"run [0-9a-f-]{8,} by \S+", "run R by ME", output)
    output = re.sub(r"(?<=ing )\S+(?=, run R)", "DB", output)
    return re.sub(r"\d+ ms|[\d.]+ s\b", "N ms", output).splitlines()


def read_events(output: str) -> list[Event]:
    """Return the event of each line of an output. Raise an error if a line is not an event."""
    return [from_json(line) for line in output.splitlines()]


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)


def test_a_run_prints_the_words_of_the_strategy_document(operator: Operator) -> None:
    operator.write_tables(A, B)
    first = operator.project.migrate(check=0)
    assert read_words(first.stdout) == [
        "Migrating DB, run R by ME",
        "Found 2 migration files",
        f"✅ Applied {A} (N ms)",
        f"✅ Applied {B} (N ms)",
        "✅ All migrations completed!",
    ]
    assert first.stderr == ""
    operator.write_tables(C)
    assert read_words(operator.project.migrate("migrate", check=0).stdout) == [
        "Migrating DB, run R by ME",
        "Found 3 migration files",
        "⏭️  Skipping 2 migrations (already applied)",
        f"✅ Applied {C} (N ms)",
        "✅ All migrations completed!",
    ]
    assert read_words(operator.project.migrate(check=0).stdout)[-1] == "✅ Nothing to do: the database is up to date"


def test_verbose_prints_each_skipped_version_and_each_statement(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.migrate()
    operator.write_tables(C)
    assert read_words(operator.project.migrate("--verbose", check=0).stdout) == [
        "Migrating DB, run R by ME",
        "Found 3 migration files",
        f"⏭️  Skipping {A} (already applied)",
        f"⏭️  Skipping {B} (already applied)",
        f"▶️  1/1 migrate {C} (1 statement)",
        "   1/1 line 1: CREATE TABLE c (id int)",
        "   1/1 line 1: done (N ms)",
        f"✅ Applied {C} (N ms)",
        "✅ All migrations completed!",
        "   1 step in N ms",
    ]


def test_a_failure_prints_place_state_and_next_step(operator: Operator) -> None:
    operator.write_tables(A)
    path = operator.project.write_up(B, "CREATE TABLE b ();\n  SELECT nothing;")
    result = operator.project.migrate(check=1)
    assert read_words(result.stdout)[-2:] == [
        f"✅ Applied {A} (N ms)",
        f'❌ Failed {B}: column "nothing" does not exist',
    ]
    assert result.stderr.splitlines() == [
        '❌ column "nothing" does not exist (42703)',
        f"   {path.relative_to(operator.project.root)}:2:10",
        "    2 |   SELECT nothing;",
        "      |          ^",
        f"   State: {B} was rolled back completely. 1 earlier migration of this run stays applied.",
        "   Next:  No column nothing exists at this point: check its name and its table, then run the command again.",
    ]


def test_rollback_and_seed_print_their_results(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.project.write_seed("001_one", "SELECT 1;")
    operator.migrate()
    assert read_words(operator.project.migrate("rollback", "--steps", "2", check=0).stdout)[1:] == [
        f"↩️  Rolled back {B} (N ms)",
        f"↩️  Rolled back {A} (N ms)",
        "✅ Rolled back 2 migrations",
    ]
    assert read_words(operator.project.migrate("rollback", check=0).stdout)[1:] == ["✅ Nothing to roll back"]
    assert read_words(operator.project.migrate("seed", check=0).stdout)[1:] == [
        "Found 1 seed file",
        "🌱 Seeded 001_one (N ms)",
        "✅ All seeds completed!",
    ]


def test_a_dry_run_prints_its_plan(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a ();\nVACUUM;")
    shown = re.sub(r"--plan=\w+", "--plan=ID", project.migrate("--dry-run", check=0).stdout)
    assert read_words(shown)[2:] == [
        "Dry run: 1 migration would be applied",
        "",
        f"  1. {A}",
        f"     migrations/up/{A}.sql, 2 segments",
        "     segment 1 of 2, in one transaction",
        "       line 1  CREATE TABLE a ()",
        "     segment 2 of 2, outside a transaction",
        "       line 2  VACUUM",
        "",
        "To run exactly this plan: the same command with --plan=ID instead of --dry-run",
        "✅ Dry run: nothing was changed",
    ]


@pytest.mark.parametrize("command", ["migrate", "rollback", "status"])
def test_without_a_database_url_nothing_is_guessed(project: Project, command: str) -> None:
    result = project.migrate(command, env={"DATABASE_URL": ""}, check=1)
    assert result.stderr.splitlines()[0] == "ERROR: DATABASE_URL not set"
    assert result.stdout == ""
    (error,) = read_events(project.migrate(command, "--json", env={"DATABASE_URL": ""}, check=1).stdout)
    assert isinstance(error, ErrorRaised)
    assert error.message == "DATABASE_URL not set"


@pytest.mark.parametrize(
    ("arguments", "ends_with"),
    [
        (("migrate",), RunFinished),
        (("--dry-run",), RunFinished),
        (("rollback", "--to", "0"), RunFinished),
        (("status",), StatusRead),
        (("history",), HistoryRead),
        (("seed",), RunFinished),
        (("repair",), RunFinished),
    ],
)
def test_with_json_every_line_is_an_event_and_nothing_else_is_printed(
    operator: Operator, arguments: tuple[str, ...], ends_with: type[Event]
) -> None:
    operator.project.write_up(A, NOISY)
    operator.project.write_down(A, NOISY)
    operator.project.write_seed("001_one", NOISY)
    operator.migrate()
    operator.project.write_up(B, NOISY)
    result = operator.project.migrate(*arguments, "--json", "--verbose", check=0)
    events = read_events(result.stdout)
    assert isinstance(events[-1], ends_with)
    assert getattr(events[0], "format", None) == 1
    assert result.stderr == ""


def test_with_json_an_error_is_an_event_and_also_printed_on_stderr(project: Project) -> None:
    project.write_up(A, "SELECT 1/0;")
    result = project.migrate("--json", check=1)
    events = read_events(result.stdout)
    assert isinstance(events[0], RunStarted)
    error = events[-1]
    assert isinstance(error, ErrorRaised)
    assert (error.sqlstate, error.line, error.exit_code) == ("22012", 1, 1)
    assert "division by zero" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("migrate",), 0),
        (("status",), 0),
        (("status", "--check"), 4),
        (("migrate", "--strict"), 3),
        (("migrate", "--to", "2024"), 2),
        (("rollback", "--steps", "0"), 2),
        (("rollback", "--to", A, "--steps", "2"), 2),
        (("migrate", "--env", "prod"), 3),
        (("fly",), 2),
        (("history", "--version", C), 2),
    ],
)
def test_each_outcome_has_its_exit_code(operator: Operator, arguments: tuple[str, ...], exit_code: int) -> None:
    operator.write_tables(B)
    operator.migrate(environment="staging")
    operator.write_tables(A)
    result = operator.project.migrate(*arguments, check=exit_code)
    assert bool(result.stderr) == (exit_code in (1, 2, 3))


def test_a_check_without_findings_exits_with_0(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    assert "1 applied" in operator.project.migrate("status", "--check", check=0).stdout


def test_a_limit_and_a_version_filter_the_output(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.migrate()
    (status,) = read_events(operator.project.migrate("status", "--limit", "1", "--json", check=0).stdout)
    assert isinstance(status, StatusRead)
    assert ([row.version for row in status.rows], status.total) == ([C], 3)
    (history,) = read_events(operator.project.migrate("history", "--limit=1", f"--version={B}", "--json", check=0).stdout)
    assert isinstance(history, HistoryRead)
    assert [(row.version, row.outcome) for row in history.rows] == [(B, "finished")]


def test_the_script_is_executable_from_any_folder(operator: Operator, tmp_path: Path) -> None:
    operator.write_tables(A)
    (tmp_path / "migrate").symlink_to(REPOSITORY / "scripts" / "migrate.py")
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    environment |= {"DATABASE_URL": operator.project.database_url, "MIGRATIONS_DIR": str(operator.project.migrations)}
    exit_code, _ = run_dialogue([str(tmp_path / "migrate")], (), cwd=tmp_path, environment=environment)
    assert exit_code == 0
    assert operator.database.query("SELECT version FROM schema_migrations") == [(A,)]
