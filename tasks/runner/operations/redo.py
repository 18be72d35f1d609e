"""Redo: roll back the newest migration and apply its file again, both in one run under one lock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from tasks.runner.database.session import run_sql
from tasks.runner.errors import Place, RefusedError
from tasks.runner.events import Event, Finding
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.execution.preparation import make_choice
from tasks.runner.files.checkout import Migrations, read_migrations, show_path
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.replaced import list_replacements
from tasks.runner.ledger.vouching import read_stored
from tasks.runner.operations.losses import add_losses
from tasks.runner.operations.migrate import DEFAULT_MODE, RunMode, run_plan, start
from tasks.runner.planning.choice import Choice, RollbackGoal, find_differences
from tasks.runner.planning.faults import find_faults
from tasks.runner.planning.half_applied import merge_findings
from tasks.runner.planning.plan import Plan, plan
from tasks.runner.planning.renewal import build_change_error, describe_basis, identify_plan
from tasks.runner.planning.sources import add_diffs, check_syntax, read_sources

_UNCHANGED = "Nothing was changed."
_UNFINISHED = """
SELECT l.version FROM {log} l
 WHERE l.id = (SELECT max(id) FROM {log} WHERE version IS NOT NULL AND outcome = 'finished'
                                          AND action IN ('migrate', 'rollback', 'adopt'))
   AND l.action = 'rollback'
   AND EXISTS (SELECT FROM {log} run WHERE run.run_id = l.run_id AND run.version IS NULL AND run.action = 'redo')
"""
"""The version that a redo rolled back last, if nothing was applied or rolled back since."""


@dataclass(frozen=True, slots=True)
class RedoPreparation:
    """The plan of a redo, and the files that it was made from."""

    plan: Plan
    migrations: Migrations
    stored_down: bool

    def renew(self, connection: psycopg.Connection, ledger: Ledger, *, exact: bool) -> Plan:
        """Make the plan again, and return it; raises PlanChangedError for any difference: nothing of a redo is left out."""
        if describe_basis(ledger.checksums) != self.plan.basis:
            raise build_change_error(self.plan, tuple(ledger.checksums)[-1:])
        made = _make_plan(connection, ledger, self.migrations, stored_down=self.stored_down)
        if not made.refusals and identify_plan(made) != identify_plan(self.plan):
            raise build_change_error(self.plan, tuple(step.version for step in made.steps))
        return made


def redo(runner: MigrationRunner, mode: RunMode = DEFAULT_MODE, *, stored_down: bool = False) -> Iterator[Event]:
    """Roll back the newest migration and apply its file as it is now; other pending migrations are left alone.

    The down file runs or, without one or with `stored_down`, the down text that was stored when the migration was applied. If an
    earlier redo ended after its rollback, the same migration is only applied. Raises RefusedError if nothing is applied, if the
    newest migration has no file, or if it cannot be rolled back.
    """
    yield start(runner, "redo")
    started_at = time.monotonic()

    def prepare() -> RedoPreparation:
        return prepare_redo(runner, stored_down=stored_down)

    yield from run_plan(runner, prepare(), started_at, mode, prepare)


def prepare_redo(runner: MigrationRunner, *, stored_down: bool = False) -> RedoPreparation:
    """Return the plan of a redo, made in a READ ONLY transaction."""
    migrations = read_migrations(runner.migrations_dir)
    with runner.read() as connection:
        recorded = read_ledger(connection)
        check_environment(recorded, runner.belonging)
        faults = find_faults(connection, recorded, migrations)
        Plan("redo", (), faults).raise_refusals()
        made = _make_plan(connection, recorded, migrations, stored_down=stored_down)
        # Parsing can take longer than a transaction should be open.
        run_sql(connection, "ROLLBACK")
        check_syntax(connection, made)
    lost = add_losses(runner, replace(made, steps=tuple(step for step in made.steps if step.action == "rollback")))
    made = replace(made, findings=merge_findings(faults, lost.findings))
    return RedoPreparation(made, migrations, stored_down)


def _make_plan(connection: psycopg.Connection, recorded: Ledger, migrations: Migrations, *, stored_down: bool) -> Plan:
    renames = read_renames(migrations.folder, migrations.checksums)
    ledger, todo, choice = make_choice(connection, recorded, renames, migrations, RollbackGoal())
    replaced = list_replacements(renames)
    basis = describe_basis(recorded.checksums)
    unfinished = _find_unfinished(connection, ledger)
    if unfinished in migrations.checksums and unfinished not in ledger.checksums:
        made = _plan_up(connection, ledger, migrations, unfinished)
        message = "was rolled back by a redo that did not finish; it is only applied"
        findings = (Finding("redo", unfinished, message), *made.findings)
        return Plan("redo", made.steps, findings, replaced=replaced, basis=basis)
    if any(finding.refuses for finding in choice.findings):
        return Plan("redo", (), choice.findings)
    version = _require_file(ledger, migrations, choice)
    downs = replace(migrations, downs=migrations.downs - {version}) if stored_down else migrations
    down = plan(choice, read_sources(connection, ledger, downs, choice), ledger.attempts, ledger.schema)
    up = _plan_up(connection, ledger, migrations, version)
    edited = [
        replace(finding, message=f"{finding.message}; the text of the file is applied", refuses=False, hint="")
        for finding in find_differences(migrations, ledger)
        if (finding.kind, finding.version) == ("edited", version)
    ]
    changed = () if stored_down else _describe_edited_down(connection, ledger, down)
    findings = (*add_diffs(connection, ledger, migrations, edited), *changed, *down.findings, *up.findings)
    steps = (*down.steps, *up.steps)
    return Plan("redo", steps, merge_findings(findings), todo, replaced, basis=basis, uncompared=bool(changed))


def _plan_up(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, version: str) -> Plan:
    choice = Choice("migrate", (version,))
    return plan(choice, read_sources(connection, ledger, migrations, choice), ledger.attempts, ledger.schema)


def _require_file(ledger: Ledger, migrations: Migrations, choice: Choice) -> str:
    """Return the version to redo; raises RefusedError if there is none, or if it could not be applied again."""
    if not choice.versions:
        raise RefusedError(
            "there is no migration to redo: none is applied", hint="Apply the pending ones: inv db.migrate", state=_UNCHANGED
        )
    version = choice.versions[0]
    if version in migrations.checksums:
        return version
    shown = f"{show_path(migrations.up_folder)}/{version}.sql"
    raise RefusedError(
        f"{version} is the newest applied migration, and this checkout has no file to apply it again",
        hint="Restore the file from git, or only roll the migration back: inv db.rollback",
        state=_UNCHANGED,
        place=Place(shown),
    )


def _find_unfinished(connection: psycopg.Connection, ledger: Ledger) -> str:
    """Return the version that a redo rolled back and did not apply again, or an empty text."""
    if not ledger.complete:
        return ""
    row = connection.execute(sql.SQL(_UNFINISHED).format(log=ledger.table("_log"))).fetchone()
    return row[0] if row else ""


def _describe_edited_down(connection: psycopg.Connection, ledger: Ledger, down: Plan) -> tuple[Finding, ...]:
    """Return a finding if the down file that runs is not the one that was stored when the migration was applied."""
    (step,) = down.steps
    stored = read_stored(connection, ledger, [step.version]).get(step.version)
    known = stored.voucher.down_digest if stored else ""
    if stored is None or not known or not step.source.checksum or step.source.checksum == known:
        return ()
    if stored.down is not None and stored.down.splitlines() == step.source.text.splitlines():
        return ()
    if stored.down is None:
        message = "has a down file that was edited too: the file runs, and the ledger does not have the text that was applied"
        hint = "If the edited down file does not undo what was applied, restore it from git first."
        return (Finding("edited down", step.version, message, hint=hint),)
    message = "has a down file that was edited too: the file runs, not the down text that was stored"
    hint = "If the edited down file does not undo what was applied, run the stored text: inv db.redo --stored-down"
    return (Finding("edited down", step.version, message, hint=hint),)
