"""Seeds: data that every environment has, or one of them; a seed runs again when its text changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from tasks.runner.errors import Place, RefusedError, RunnerError, StatementError
from tasks.runner.events import NOT_KNOWN, Event, FilesFound, Finding, Skipped
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import SourceFile, read_migrations, show_path
from tasks.runner.files.seeds import list_seed_folders, read_seed_files
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.view import view_ledger
from tasks.runner.operations.migrate import DEFAULT_MODE, RunMode, run_plan, start
from tasks.runner.parsing import Script, read_script
from tasks.runner.planning.choice import Choice
from tasks.runner.planning.faults import find_folder_faults
from tasks.runner.planning.plan import Plan, Source, Step, find_notes
from tasks.runner.planning.renewal import replan

_MISSING = frozenset({"3F000", "42703", "42704", "42883", "42P01"})
"""Undefined schema, column, object, function, table: a pending migration may make it."""


@dataclass(frozen=True, slots=True)
class SeedPreparation:
    """The plan of the seeds, with the files and the recorded checksums that it was made from."""

    files: tuple[SourceFile, ...]
    recorded: Mapping[str, str]
    plan: Plan

    def renew(self, connection: psycopg.Connection, ledger: Ledger, *, exact: bool) -> Plan:
        """Choose again, and return the plan without the seeds that another run did.

        Raises PlanChangedError for another choice.
        """
        recorded = read_recorded_seeds(connection, ledger)
        same = {file.name: file.checksum for file in self.files if file.matches(recorded.get(file.name, ""))}
        recorded |= same
        choice = Choice("seed", choose_seeds(self.files, recorded))
        return replan(self.plan, choice, Ledger(checksums=recorded), before=Ledger(checksums=self.recorded), exact=exact)


def seed(runner: MigrationRunner, mode: RunMode = DEFAULT_MODE) -> Iterator[Event]:
    """Run the seeds that are new or whose text changed, each in a transaction with its row in the ledger."""
    yield start(runner, "seed")
    started_at = time.monotonic()
    files = _read_files(runner)
    yield FilesFound(len(files), "seed")
    prepared = prepare_seeds(runner, files)
    chosen = {step.version for step in prepared.plan.steps}
    skipped = tuple(file.name for file in files if file.name not in chosen)
    if skipped:
        yield Skipped(skipped)
    try:
        yield from run_plan(runner, prepared, started_at, mode, lambda: prepare_seeds(runner, _read_files(runner)))
    except StatementError as error:
        if error.sqlstate in _MISSING:
            error.hint = "\n".join(filter(None, (_describe_pending(runner), error.hint)))
        raise


def _describe_pending(runner: MigrationRunner) -> str:
    """Return how many migrations are pending, which may make what a seed misses; "" if none is, or if it is not known."""
    with suppress(RunnerError, psycopg.Error), runner.read() as connection:
        migrations = read_migrations(runner.migrations_dir)
        ledger, _, _ = view_ledger(
            read_ledger(connection), read_renames(migrations.folder, migrations.checksums), migrations.checksums
        )
        pending = [version for version in migrations.checksums if version not in ledger.checksums]
        if pending:
            number = f"{len(pending)} migrations are" if len(pending) > 1 else "1 migration is"
            return f"{number} pending. Apply {'them' if len(pending) > 1 else 'it'} before the seeds: inv db.migrate"
    return ""


def prepare_seeds(runner: MigrationRunner, files: tuple[SourceFile, ...]) -> SeedPreparation:
    """Return the plan of the seeds that are to run, made in a READ ONLY transaction."""
    with runner.read() as connection:
        ledger = read_ledger(connection)
        check_environment(ledger, runner.belonging)
        recorded = read_recorded_seeds(connection, ledger)
        faults = find_folder_faults(connection, ledger, runner.migrations_dir)
    made = plan_seeds(files, recorded, ledger.schema)
    return SeedPreparation(files, recorded, replace(made, findings=(*faults, *_find_left_out(runner), *made.findings)))


def _read_files(runner: MigrationRunner) -> tuple[SourceFile, ...]:
    return read_seed_files(runner.seeds_dir, runner.environment)


def _find_left_out(runner: MigrationRunner) -> tuple[Finding, ...]:
    """Return a finding about the folders of seeds for one environment if it is not known which environment this is."""
    folders = () if runner.environment else list_seed_folders(runner.seeds_dir)
    if not folders:
        return ()
    shown = ", ".join(f"{show_path(runner.seeds_dir / name)}/" for name in folders)
    message = f"the environment is not known, so the seeds of one environment only do not run: {shown}"
    return (Finding(NOT_KNOWN, "", message, hint="Name the environment: --env NAME"),)


def choose_seeds(files: tuple[SourceFile, ...], recorded: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the seeds that are not recorded with their current text."""
    return tuple(file.name for file in files if not file.matches(recorded.get(file.name, "")))


def plan_seeds(files: tuple[SourceFile, ...], recorded: Mapping[str, str], ledger_schema: str = "public") -> Plan:
    """Return the plan of the seeds to run."""
    chosen = choose_seeds(files, recorded)
    steps = []
    for file in files:
        name = file.name
        if name not in chosen:
            continue
        script = read_script(file.content, file=file.shown, version=name, ledger_schema=ledger_schema)
        _refuse_several_transactions(file.shown, script)
        source = Source(file.shown, file.content, file.checksum, notes=file.notes)
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
