"""Seeds: data that every environment has; a seed runs again when its text changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import psycopg
from psycopg import sql

from tasks.runner.errors import Place, RefusedError
from tasks.runner.events import Event, FilesFound, Skipped
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import SourceFile, read_seed_files
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.operations.migrate import run_plan, start
from tasks.runner.parsing import Script, read_script
from tasks.runner.planning.faults import find_folder_faults
from tasks.runner.planning.plan import Plan, Source, Step, find_notes


def seed(runner: MigrationRunner, *, dry_run: bool = False) -> Iterator[Event]:
    """Run the seeds that are new or whose text changed, each in a transaction with its row in the ledger."""
    yield start(runner, "seed")
    started_at = time.monotonic()
    files = read_seed_files(runner.seeds_dir)
    yield FilesFound(len(files), "seed")
    with runner.read() as connection:
        ledger = read_ledger(connection)
        check_environment(ledger, runner.belonging)
        recorded = read_recorded_seeds(connection, ledger)
        faults = find_folder_faults(connection, ledger, runner.migrations_dir)
    skipped = tuple(file.path.stem for file in files if file.matches(recorded.get(file.path.stem, "")))
    if skipped:
        yield Skipped(skipped)
    made = plan_seeds(files, recorded, ledger.schema)
    yield from run_plan(runner, replace(made, findings=(*faults, *made.findings)), started_at, dry_run=dry_run)


def plan_seeds(files: tuple[SourceFile, ...], recorded: Mapping[str, str], ledger_schema: str = "public") -> Plan:
    """Return the plan of the seeds that are not recorded with their current checksum."""
    steps = []
    for file in files:
        name = file.path.stem
        if file.matches(recorded.get(name, "")):
            continue
        script = read_script(file.text, file=file.shown, version=name, ledger_schema=ledger_schema)
        _refuse_several_transactions(file.shown, script)
        source = Source(file.shown, file.text, file.checksum, notes=file.notes)
        steps.append(Step("seed", name, source, script))
    return Plan("seed", tuple(steps), tuple(finding for step in steps for finding in find_notes(step)))


def _refuse_several_transactions(shown: str, script: Script) -> None:
    """Raise RefusedError at the first statement of a seed that is not part of its one transaction."""
    if script.single_transaction:
        return
    nontransactional = [segment for segment in script.segments if not segment.transactional]
    misfits = nontransactional or list(script.segments[1:])
    reason = "a seed runs in one transaction, and this " + ("statement cannot" if nontransactional else "begins another")
    raise RefusedError(
        reason if misfits else "a seed cannot be irreversible",
        hint="Move it to a migration: inv db.new NAME" if misfits else "`-- migrate: irreversible` belongs in the down file.",
        state="Nothing was changed.",
        place=Place(shown, misfits[0].statements[0].line if misfits else 1),
    )


def read_recorded_seeds(connection: psycopg.Connection, ledger: Ledger) -> dict[str, str]:
    """Return the checksum of each seed in the ledger."""
    if not ledger.complete:
        return {}
    query = sql.SQL("SELECT name, checksum FROM {}").format(ledger.table("_seeds"))
    return dict(connection.execute(query).fetchall())
