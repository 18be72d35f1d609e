"""A plan together with what it was made from, so that the choice is made again under the lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import psycopg

from tasks.runner.database.session import send_rollback
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.replaced import list_replacements, rename_back
from tasks.runner.ledger.view import view_ledger
from tasks.runner.planning.choice import Choice, MigrateGoal, RollbackGoal, choose
from tasks.runner.planning.edited import offer_redo
from tasks.runner.planning.faults import find_faults, find_unknown
from tasks.runner.planning.half_applied import find_half_applied, merge_findings
from tasks.runner.planning.plan import Plan, plan
from tasks.runner.planning.renewal import build_change_error, describe_basis, replan

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.environment_label import Belonging
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.renames import Rename, Renames
    from tasks.runner.planning.choice import Goal


class Prepared(Protocol):
    """A plan that can be made again from a newer ledger."""

    @property
    def plan(self) -> Plan:
        """Return the plan as it was made."""

    def renew(self, connection: psycopg.Connection, ledger: Ledger, *, exact: bool) -> Plan:
        """Return what is left of the plan, given the current ledger; raises PlanChangedError if it would be another one."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """The plan of a goal, with the ledger and the files that it was made from."""

    goal: Goal
    ledger: Ledger
    migrations: Migrations
    renames: Renames
    plan: Plan

    def renew(self, connection: psycopg.Connection, ledger: Ledger, *, exact: bool) -> Plan:
        """Make the choice again, and return what is left of the plan; the files are those that were read before.

        `exact` means that nothing may be left out. Raises PlanChangedError if the choice is another one.
        """
        if self.plan.basis and self.plan.basis != describe_basis(ledger.checksums):
            raise build_change_error(self.plan, tuple(step.version for step in self.plan.steps))
        renamed, todo, choice = make_choice(connection, ledger, self.renames, self.migrations, self.goal)
        left = replan(self.plan, choice, renamed, before=self.ledger, renames=todo, exact=exact)
        if left.atomic:
            left = _require_atomic(left)
        if left.action == "rollback" and not left.refusals:
            _check_stored_texts(connection, renamed, self.migrations, left)
        return left


def prepare(connection: psycopg.Connection, migrations: Migrations, goal: Goal, belonging: Belonging) -> Preparation:
    """Return the plan of a goal; the connection is in a READ ONLY transaction, which is closed before texts are checked."""
    renames = read_renames(migrations.folder, migrations.checksums)
    recorded = read_ledger(connection, partial=not isinstance(goal, RollbackGoal))
    check_environment(recorded, belonging)
    ledger, todo, choice = make_choice(connection, recorded, renames, migrations, goal)
    faults = (*find_faults(connection, recorded, migrations), *find_unknown(connection, recorded))
    choice = replace(choice, findings=merge_findings(faults, choice.findings))
    if not choice.versions and not choice.findings:
        return Preparation(goal, ledger, migrations, renames, Plan(choice.action, ()))
    from tasks.runner.planning.sources import add_diffs, check_syntax, read_sources

    choice = replace(choice, findings=tuple(offer_redo(choice.findings, ledger)))
    choice = replace(choice, findings=add_diffs(connection, ledger, migrations, choice.findings))
    sources = read_sources(connection, ledger, migrations, choice)
    # Parsing can take longer than a transaction should be open. Only a check of syntax waits for the answer: libpq drops it then.
    send_rollback(connection)
    made = plan(choice, sources, ledger.attempts, ledger.schema)
    if isinstance(goal, MigrateGoal) and goal.atomic:
        made = _require_atomic(made)
    check_syntax(connection, made)
    basis = describe_basis(recorded.checksums) if isinstance(goal, RollbackGoal) and goal.only else ""
    made = replace(made, renames=todo, replaced=list_replacements(renames), basis=basis)
    return Preparation(goal, ledger, migrations, renames, made)


def _require_atomic(made: Plan) -> Plan:
    """Return the plan for one transaction, with a refusal of each file that cannot be in one."""
    from tasks.runner.planning.atomic import find_obstacles

    return replace(made, atomic=True, findings=(*made.findings, *find_obstacles(made)))


def make_choice(
    connection: psycopg.Connection, recorded: Ledger, renames: Renames, migrations: Migrations, goal: Goal
) -> tuple[Ledger, tuple[Rename, ...], Choice]:
    """Return the ledger under the current names, the rows to rename, and the choice of a goal."""
    ledger, todo, ledger_findings = view_ledger(recorded, renames, migrations.checksums)
    ledger = ignore_line_ends(connection, ledger, migrations)
    choice = choose(migrations, ledger, goal)
    half_applied = find_half_applied(migrations, ledger, choice)
    choice = replace(choice, findings=merge_findings(ledger_findings, half_applied, choice.findings))
    return ledger, (*todo, *rename_back(ledger, choice.versions if choice.action == "rollback" else ())), choice


def _check_stored_texts(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, made: Plan) -> None:
    """Raise PlanChangedError if a down text that the ledger stores is no longer the one in the plan."""
    from tasks.runner.planning.sources import read_sources

    stored = tuple(step.version for step in made.steps if step.version not in migrations.downs)
    sources = read_sources(connection, ledger, migrations, Choice("rollback", stored)) if stored else {}
    if any(sources.get(step.version, step.source) != step.source for step in made.steps):
        raise build_change_error(made, tuple(step.version for step in made.steps))
