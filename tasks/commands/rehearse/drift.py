"""The command db.drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import read_catalog
from tasks.commands.flags import ONE_ENV_HELP, SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.commands.settle import settle
from tasks.config.environments import Environment, load_environment
from tasks.options import Options
from tasks.runner.events import CHECK_FOUND, Event
from tasks.runner.operations.requests import parse_count
from tasks.runner.signals import Stop, catch_signals


@dataclass(frozen=True, slots=True)
class _Flags:
    """The flags of db.drift."""

    name: str
    """The name of a migration to write; empty for none."""
    without: tuple[str, ...]
    timeout_s: int
    as_superuser: bool
    rename: tuple[str, ...]
    drop: tuple[str, ...]


@command(
    help={
        **ONE_ENV_HELP,
        **SCRATCH_HELP,
        "as_migration": "write the difference as a new migration with this name, proved on scratch",
        "rename": "with --as-migration: what has another name now, TABLE.OLD=NEW or OLD=NEW (repeatable)",
        "drop": "with --as-migration: what was dropped and not renamed, TABLE.COLUMN or NAME (repeatable)",
        "timeout": "seconds that one migration may take on scratch (600)",
    },
    iterable=["without_extension", "rename", "drop"],
)
def drift(
    _context: Context,
    without_extension: Sequence[str],
    rename: Sequence[str],
    drop: Sequence[str],
    env: str = "local",
    as_migration: str = "",
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Show what was changed outside the migrations.

    Exits with 4 if anything was.
    """
    from tasks.rehearsal.drift.drift import DriftRead
    from tasks.report import report
    from tasks.report.drift import register_messages

    register_messages()
    changed = False

    def look(events: Iterator[Event]) -> Iterator[Event]:
        nonlocal changed
        for event in events:
            changed = changed or (isinstance(event, DriftRead) and bool(event.changes))
            yield event

    with catch_signals() as stop, exit_on_error(json=json, rehearses=True) as seen:
        without, timeout_s = read_extensions(without_extension), parse_count("--timeout", timeout)
        flags = _Flags(as_migration, without, timeout_s, as_superuser, tuple(rename), tuple(drop))
        report(look(_find_drift(load_environment(env), Options(json=json, start=start), stop, seen, flags)), json=json)
    if changed:
        raise Exit(code=CHECK_FOUND)


def _find_drift(environment: Environment, options: Options, stop: Stop, seen: list[str], flags: _Flags) -> Iterator[Event]:
    """Compare the schema with a replay of its ledger's texts on scratch; with a name, write the difference as a migration."""
    from tasks.rehearsal.drift.drift import answer, find_drift
    from tasks.rehearsal.drift.unfinished import refuse_unfinished
    from tasks.rehearsal.sql_diff.answers import read_answers
    from tasks.runner.files.checkout import read_migrations

    answers = read_answers(flags.rename, flags.drop)
    read = yield from read_catalog(environment, options, stop, seen)
    if flags.name:
        refuse_unfinished(read.unfinished)
    settings, target = environment.settings, seen[-1] if seen else ""
    with open_scratch(settings, target=target, without=flags.without, as_superuser=flags.as_superuser) as server:
        found = find_drift(read, read_migrations(settings.migrations_dir), server, timeout_s=flags.timeout_s)
        yield from answer(read, found)
        settle(environment, options, stop, read, found)
        if flags.name and found.changes:
            from tasks.commands.generate.ask_renames import choose_ask
            from tasks.rehearsal.drift.as_migration import Answered, write_migration

            answered = Answered(answers, choose_ask(stop, json=options.json))
            yield write_migration(found, server, settings.migrations_dir, flags.name, answered, environment=environment.name)
        yield from note_stand_ins(server)
