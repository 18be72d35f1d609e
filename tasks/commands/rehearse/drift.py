"""The task db.drift, thin: an environment's schema, wherever it is, beside a replay here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import open_events
from tasks.commands.scratch import open_scratch, read_extensions
from tasks.config.environments import Environment, load_environment
from tasks.options import Options
from tasks.runner.errors import RunnerError
from tasks.runner.events import CHECK_FOUND, CatalogRead, Event
from tasks.runner.operations.requests import Request, parse_count
from tasks.runner.signals import Stop, catch_signals


@dataclass(frozen=True, slots=True)
class _Wish:
    """Say how the rehearsal is done, and what is made of its result."""

    name: str
    """The name of a migration to write; empty for none."""
    without: tuple[str, ...]
    timeout_s: int


@task(
    help={
        "env": "the environment: local (default), dev, staging, prod, or another that has a .env.NAME",
        "as_migration": "write what differs as a new migration of this name, and prove it on scratch",
        "without_extension": "leave out what needs these extensions (with commas), where the scratch server lacks them",
        "timeout": "seconds that one migration may take on scratch (600)",
        "json": "JSON lines on stdout and nothing else there",
        "start": "start a machine on Fly where none is started",
    }
)
def drift(
    _context: Context,
    env: str = "local",
    as_migration: str = "",
    without_extension: str = "",
    timeout: str = "600",
    json: bool = False,
    start: bool = False,
) -> None:
    """Show what was changed in a database besides its migrations; exit with 4 if anything was."""
    from tasks.rehearsal.drift.drift import DriftRead
    from tasks.report import report
    from tasks.report.drift import register_words

    register_words()
    changed = False

    def look(events: Iterator[Event]) -> Iterator[Event]:
        nonlocal changed
        for event in events:
            changed = changed or (isinstance(event, DriftRead) and bool(event.changes))
            yield event

    with catch_signals() as stop, exit_on_error(json=json) as seen:
        selector = _Wish(as_migration, read_extensions(without_extension), parse_count("--timeout", timeout))
        report(look(_find_drift(load_environment(env), Options(json=json, start=start), stop, seen, selector)), json=json)
    if changed:
        raise Exit(code=CHECK_FOUND)


def _find_drift(environment: Environment, options: Options, stop: Stop, seen: list[str], selector: _Wish) -> Iterator[Event]:
    """Read the schema there, replay its ledger's texts on scratch, and say what differs; with a name, write that down."""
    from tasks.rehearsal.drift.drift import answer, find_drift
    from tasks.runner.files.checkout import read_migrations

    read = None
    for event in open_events(environment, Request("catalog"), options, stop, seen):
        if isinstance(event, CatalogRead):
            read = event
        else:
            yield event
    if read is None:
        hint = f"inv env.check --env={environment.name} looks at what is missing."
        raise RunnerError("the schema could not be read", hint=hint)
    settings, target = environment.settings, seen[-1] if seen else ""
    with open_scratch(settings, target=target, without=selector.without) as server:
        found = find_drift(read, read_migrations(settings.migrations_dir), server, timeout_s=selector.timeout_s)
        yield from answer(read, found)
        if selector.name and found.changes:
            from tasks.rehearsal.drift.as_migration import write_migration

            yield write_migration(found, server, settings.migrations_dir, selector.name, environment=environment.name)
