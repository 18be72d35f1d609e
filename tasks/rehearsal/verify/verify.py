"""Verify migrations on scratch databases, each in the state that its predecessors leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

from tasks.rehearsal.events import MigrationVerified, VerifyFinished, VerifyStarted
from tasks.rehearsal.findings import counts
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import FileVerifier, VerifyOptions
from tasks.rehearsal.verify.verdicts.known import KnownVerdicts
from tasks.rehearsal.verify.workers.client import VerifyWorkers, plan_chunks
from tasks.runner.clock import count_ms
from tasks.runner.events import Event

__all__ = ["VerifyOptions", "verify"]


def verify(
    server: ScratchServer,
    selection: Selection,
    options: VerifyOptions,
    *,
    known: KnownVerdicts | None = None,
    processes: int = 1,
) -> Iterator[Event]:
    """Verify the selected migrations, and yield an event for each.

    Verdicts that are `known` are used again, and new ones are added. Many migrations are verified by several `processes`, with
    the same result. Problems of a migration are findings. Raises RunnerError if something other than a migration fails.
    """
    begun = time.monotonic()
    chosen = selection.list_chosen()
    yield VerifyStarted(
        len(chosen),
        len(selection.migrations),
        selection.reason,
        server.version,
        server.without,
        selection.environment,
        selection.server_version,
    )
    found = mild = reused = 0
    for verified in _verify_all(server, selection, chosen, options, known or KnownVerdicts(), processes):
        found += any(counts(finding) for finding in verified.findings)
        mild += sum(finding.mild for finding in verified.findings)
        reused += verified.reused
        yield verified
    yield VerifyFinished(len(chosen), found, mild, count_ms(begun), reused)


def _verify_all(
    server: ScratchServer,
    selection: Selection,
    chosen: list[RehearsedMigration],
    options: VerifyOptions,
    known: KnownVerdicts,
    processes: int,
) -> Iterator[MigrationVerified]:
    """Yield the verdict of each migration in order: a known one, that of a worker, or else that of this process."""
    known.begin(selection)
    chunks = plan_chunks([each.name for each in chosen if known.find(each) is None], processes)
    with ExitStack() as stack:
        workers = stack.enter_context(VerifyWorkers(server, selection, options, chunks, processes))
        verifier = stack.enter_context(FileVerifier(server, options))
        for migration in chosen:
            verified = known.use(migration, server)
            if verified is None:
                verified = workers.take(migration.name) or verifier.verify(selection, migration)
                known.add(migration, verified)
            if not verified.works:
                selection = selection.without({migration.name})
                known.begin(selection)
            yield verified
        workers.finish()
    known.save(server.stand_ins)
