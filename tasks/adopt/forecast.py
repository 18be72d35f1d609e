"""Forecast a run after an adoption: rehearse the pending migrations on a scratch database with the live schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from tasks.adopt.trials import TIMEOUT_S
from tasks.catalog import Catalog
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.dump import load_dump
from tasks.rehearsal.scratch.extensions import UnsafeExtensionError
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a pending migration would do: whether it changes the schema, or its error."""

    changes: bool
    error: str = ""
    alike: bool = True
    """Whether it was rehearsed with exactly the live schema."""


def foresee(
    server: ScratchServer, dump: str, present: Sequence[RehearsedMigration], pending: Sequence[RehearsedMigration], live: Catalog
) -> dict[str, Forecast]:
    """Run the pending migrations one after the other, as a run does, up to the first that fails.

    The schema comes from the dump; without one, or if the scratch server cannot restore it, from the present migrations.
    """
    prospects: dict[str, Forecast] = {}
    with _prepare(server, dump, present) as database, Rehearsal(database, timeout_s=TIMEOUT_S) as rehearsal:
        before = rehearsal.read_catalog()
        alike = before == live
        for migration in pending:
            trial = rehearsal.run(migration, "up")
            if trial.error is not None:
                prospects[migration.name] = Forecast(changes=False, error=trial.error.message.splitlines()[0], alike=alike)
                break
            after = rehearsal.read_catalog()
            prospects[migration.name] = Forecast(changes=after != before, alike=alike)
            before = after
    return prospects


@contextmanager
def _prepare(server: ScratchServer, dump: str, present: Sequence[RehearsedMigration]) -> Iterator[ScratchDatabase]:
    with server.make() as database:
        if dump and _load(database, dump):
            yield database
            return
    with server.make() as database:
        with Rehearsal(database, timeout_s=TIMEOUT_S) as rehearsal:
            for migration in present:
                rehearsal.run(migration, "up")
        yield database


def _load(database: ScratchDatabase, dump: str) -> bool:
    try:
        load_dump(database, dump)
    except (psycopg.Error, UnsafeExtensionError):
        return False
    return True
