"""Lint migrations as db.lint does, on a scratch server."""

from collections.abc import Sequence
from dataclasses import replace

from tasks.lint.engine import LintKnowledge, lint
from tasks.lint.events import LintFinished, LintFound
from tasks.lint.model import LintExample
from tasks.lint.replaying import replay_files
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events.numbers import NumbersRead, RelationNumbers

DAY = 20250101000000


def make_migrations(setup: str, examples: Sequence[LintExample]) -> tuple[RehearsedMigration, ...]:
    """Return a migration for the setup, and one for each example."""
    texts = [LintExample(setup, "SELECT 1;"), *examples]
    return tuple(
        RehearsedMigration(f"{DAY + number}_v{number}", each.up, each.down, f"up/v{number}.sql", f"down/v{number}.sql")
        for number, each in enumerate(texts)
    )


def lint_all(
    server: ScratchServer | None, setup: str, examples: Sequence[LintExample], numbers: NumbersRead | None = None
) -> tuple[list[LintFound], LintFinished]:
    """Lint the examples after a setup, and return the findings and the end; without a server, no schema is known."""
    migrations = make_migrations(setup, examples)
    selection = Selection(migrations, tuple(each.name for each in migrations[1:]), "chosen")
    known = replay_files(server, selection) if server is not None else LintKnowledge(180000)
    *events, finished = lint(selection, replace(known, numbers=numbers))
    assert isinstance(finished, LintFinished)
    return [event for event in events if isinstance(event, LintFound)], finished


def lint_up(server: ScratchServer | None, setup: str, up: str, numbers: NumbersRead | None = None) -> list[tuple[int, str]]:
    """Lint one up file with a down file, and return the line and the rule of each finding."""
    found, _ = lint_all(server, setup, [LintExample(up, "SELECT 1;")], numbers)
    return [(each.line, each.rule) for each in found]


def make_numbers(**rows: int) -> NumbersRead:
    """Return the numbers of an environment whose tables have so many rows, of a hundred bytes, and are busy."""
    relations = tuple(
        RelationNumbers(f"public.{name}", "r", rows=count, heap_bytes=count * 100, reads=50.0, writes=50.0)
        for name, count in rows.items()
    )
    return NumbersRead(180000, relations, ())
