"""Observe the pending migrations on scratch, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from tasks.forecast.limits import Limit
from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.replaying import ObservedFile, ReplayPair
from tasks.forecast.observing.statements import build_statements
from tasks.rehearsal.errors import ON_SCRATCH
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.errors import Place, RunnerError
from tasks.runner.parsing import Script
from tasks.runner.planning.failures import describe_server_error

_MAJOR = 10000


@dataclass(frozen=True, slots=True)
class FileFailed:
    """A pending migration that fails on scratch, with PostgreSQL's error; the migrations after it are not observed."""

    version: str
    error: RunnerError
    place: Place | None


def observe(
    server: ScratchServer,
    selection: Selection,
    *,
    only: Collection[str] | None = None,
    timeout_s: float | None = None,
    limit: Limit | None = None,
) -> Iterator[ObservedStatement | FileFailed]:
    """Yield what each statement of the selected migrations does, in their order, up to the first file that fails.

    `only` are the versions to observe, if not all: the others only run. `timeout_s` is the time limit of each migration, in
    seconds, `limit` that of all, which is checked before each. Raises RunnerError if something other than an observed migration
    fails: one before it, or the scratch server; or the limit.
    """
    limit = limit or Limit()
    before, following = arrange(selection)
    notes = describe_versions(server.version, selection.server_version, selection.environment)
    try:
        with ReplayPair(server, before, timeout_s, limit) as pair:
            for migration in following:
                limit.check()
                if migration.name in (selection.chosen if only is None else only):
                    observed = pair.observe(migration)
                    if observed.error is not None:
                        yield FileFailed(migration.name, observed.error, observed.error.place)
                        return
                    yield from _describe(migration, observed, notes)
                else:
                    pair.run(migration)
    except psycopg.Error as error:
        raise describe_server_error(error, server.url, ON_SCRATCH) from error


def describe_versions(observed: int, target: int, environment: str) -> tuple[str, ...]:
    """Return that the environment runs another major version than the scratch server, if it does."""
    if not target or observed // _MAJOR == target // _MAJOR:
        return ()
    named = environment or "the environment"
    return (f"what PostgreSQL {target // _MAJOR} does, which {named} runs: it was observed on PostgreSQL {observed // _MAJOR}",)


def arrange(selection: Selection) -> tuple[list[RehearsedMigration], list[RehearsedMigration]]:
    """Return the migrations that are applied before the selected ones, and those from the first selected one on.

    Pending migrations run after the applied ones. Where applied ones are selected too, all run in the order of their names.
    """
    chosen = selection.list_chosen()
    if selection.applied and selection.applied.isdisjoint(selection.chosen):
        return [each for each in selection.migrations if each.name in selection.applied], chosen
    if not chosen:
        return [], []
    names = [each.name for each in chosen]
    before = selection.list_before(min(names))
    return before, [each for each in selection.migrations if min(names) <= each.name <= max(names)]


def _describe(migration: RehearsedMigration, observed: ObservedFile, notes: tuple[str, ...]) -> Iterator[ObservedStatement]:
    """Yield what the statements of a file did."""
    if observed.failed_on_rows:
        reason = f"it fails on generated rows ({observed.failed_on_rows}), and was observed on empty tables"
        notes = (f"what it does to rows: {reason}", *notes)
    script = migration.make_step("up").script
    left_out = _find_left_out(script, migration, observed.unchecked)
    yield from build_statements(migration.name, script, observed.together, observed.apart, left_out, notes)


def _find_left_out(script: Script, migration: RehearsedMigration, unchecked: Sequence[str]) -> dict[int, str]:
    """Return why statements were not run, by their offsets."""
    shown = migration.shown or migration.name
    found: dict[int, str] = {}
    for statement in script.statements:
        start = f"{shown}:{statement.line} {statement.label}"
        for text in unchecked:
            if text.startswith(start):
                reason = text[len(start) :].lstrip(": ")
                found[statement.offset] = f"what it does: it was not run on scratch{f': {reason}' if reason else ''}"
    return found
