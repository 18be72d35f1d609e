"""Requests as values: the same from Invoke's flags and from a command line, on this or on another machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.identity import PLAN_ID_LENGTH

if TYPE_CHECKING:
    from tasks.runner.events import Event
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.operations.migrate import Approve, Confirm

_WRITING = frozenset({"migrate", "rollback", "seed", "repair", "load", "adopt", "redo", "mark", "create"})
_DRY_RUN = frozenset({"migrate", "rollback", "seed", "repair", "redo", "mark"})
_CONFIRMED = frozenset({"repair", "mark", "blockers"})
_NAMED = frozenset({"mark"})
"""The commands whose version is not a flag."""
_LONGEST_NUMBER = 9
PLANNED = frozenset({"migrate", "rollback", "seed", "redo"})
"""The commands that show a plan."""
HISTORY_LIMIT = 50
"""How many rows of the log are shown by default."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for an operation; fields that do not apply to it have their defaults."""

    command: str
    to: str = ""
    strict: bool = False
    steps: int = 1
    dry_run: bool = False
    check: bool = False
    limit: int = 0
    version: str = ""
    only: str = ""
    """The one version to roll back, though it need not be the newest."""
    unmark: bool = False
    stored_down: bool = False
    plan: str = ""
    """The identity of the plan that is to be run."""
    agree: tuple[str, ...] = ()
    """The confirmed changes of a repair or a mark, each as CHANGE:VERSION:DIGEST, or the packed adoptions."""
    kill: int = 0
    """The process whose session is to be ended."""
    atomic: bool = False
    """Run all migrations in one transaction."""
    before_deploy: bool = False
    """Leave the migrations pending that run after the deployment."""
    sql: str = ""
    """Write a script for psql to this file instead of running the plan; - is standard output."""
    verbose: bool = False
    """Show whole statements in the plan."""
    forecast: str = ""
    """The forecast that was shown before the run, as `pack_forecast` writes it, for the log."""
    locks: bool = False
    """Show how long each statement waited for locks and had them."""

    @property
    def writes(self) -> bool:
        """Return True if this may change the database, or end a session of it."""
        return self.logs or bool(self.kill and not self.dry_run)

    @property
    def logs(self) -> bool:
        """Return True if the log of the ledger shows how this ended."""
        return self.command in _WRITING and not self.dry_run and not self.sql


def has_dry_run(request: Request) -> bool:
    """Return True if the command of a request has the flag --dry-run."""
    return request.command in _DRY_RUN


def perform(
    request: Request, runner: MigrationRunner, confirm: Confirm | None, approve: Approve | None = None
) -> Iterator[Event]:
    """Return the events of the requested operation, which is imported only now.

    `confirm` confirms each change of a repair or a mark, and each unverified text of a rollback, `approve` everything that was
    shown. Raises UsageError for an invalid request, and RefusedError for the rollback of only one version without a plan.
    """
    _check(request)
    if request.forecast:
        from tasks.runner.operations.forecast_text import unpack_forecast

        runner.forecast = unpack_forecast(request.forecast)
    if request.command in PLANNED:
        return _run(request, runner, confirm, approve)
    if request.command == "load":
        from tasks.runner.operations.load import load_schema

        return load_schema(runner, approve)
    if request.command == "adopt":
        from tasks.runner.operations.adopt import adopt

        return adopt(runner, request.version, request.agree)
    if request.command in _CONFIRMED:
        return _propose(request, runner, confirm, approve)
    if request.command == "settle":
        from tasks.runner.operations.settle import settle

        return settle(runner, request.version, "".join(request.agree))
    return _answer(request, runner)


def _propose(request: Request, runner: MigrationRunner, confirm: Confirm | None, approve: Approve | None) -> Iterator[Event]:
    """Return the events of an operation that proposes changes, each of which is confirmed."""
    if request.command == "repair":
        from tasks.runner.operations.repair import repair

        if request.agree or request.dry_run:
            return repair(runner, lambda _proposal: False, agreed=request.agree)
        return repair(runner, confirm, approve)
    if request.command == "mark":
        from tasks.runner.operations.mark import mark

        if request.agree or request.dry_run:
            confirm, approve = (lambda _proposal: False), None
        return mark(runner, request.version, confirm, approve, unmark=request.unmark, agreed=request.agree)
    from tasks.runner.operations.blockers import end_blocker, list_blockers

    if not request.kill:
        return list_blockers(runner)
    return end_blocker(runner, request.kill, confirm, approve, request.agree, dry_run=request.dry_run)


def _run(request: Request, runner: MigrationRunner, confirm: Confirm | None, approve: Approve | None) -> Iterator[Event]:
    """Return the events of an operation that has a plan."""
    from tasks.runner.operations.migrate import RunMode, migrate, rollback
    from tasks.runner.planning.choice import MigrateGoal, RollbackGoal

    mode = RunMode(request.dry_run, request.plan, approve, confirm, request.verbose)
    if request.command == "migrate":
        goal = MigrateGoal(to=request.to, strict=request.strict, atomic=request.atomic, before_deploy=request.before_deploy)
        if request.sql:
            from tasks.runner.operations.sql_script import write_sql

            return write_sql(runner, goal, mode)
        return migrate(runner, goal, mode)
    if request.command == "rollback":
        return rollback(runner, RollbackGoal(steps=request.steps, to=request.to, only=request.only), mode)
    if request.command == "redo":
        from tasks.runner.operations.redo import redo

        return redo(runner, mode, stored_down=request.stored_down)
    from tasks.runner.operations.seed import seed

    return seed(runner, mode)


def _answer(request: Request, runner: MigrationRunner) -> Iterator[Event]:
    """Return the events of an operation that only reads."""
    if request.command == "catalog":
        from tasks.runner.operations.schema import read_schema

        return read_schema(runner)
    if request.command == "numbers":
        from tasks.runner.operations.numbers import read_numbers

        return read_numbers(runner)
    if request.command == "queries":
        from tasks.runner.operations.queries import read_queries

        return read_queries(runner)
    if request.command == "probe":
        from tasks.runner.operations.probe import probe

        return probe(runner)
    if request.command == "outcome":
        from tasks.runner.operations.outcome import read_outcome

        return read_outcome(runner, request.version)
    if request.command == "history":
        from tasks.runner.operations.history import read_history

        return read_history(runner, limit=request.limit or HISTORY_LIMIT, version=request.version, locks=request.locks)
    from tasks.runner.operations.status import read_status

    return read_status(runner, limit=request.limit)


def parse_count(flag: str, text: str) -> int:
    """Return the number that is the value of a flag; raises UsageError for a text that is not a number."""
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise _build_count_error(flag, text)
    return int(text)


def parse_pid(flag: str, text: str) -> int:
    """Return the number of a process that is the value of a flag, 0 if it was not used; raises UsageError for any other text."""
    number = parse_count(flag, text) if text else 0
    if text and not number:
        raise _build_count_error(flag, text)
    return number


def _build_count_error(flag: str, text: object) -> UsageError:
    return UsageError(f"{flag} must be a whole number of at least 1 (got {text})", state="Nothing was changed.")


def parse_plan(text: str | None) -> str:
    """Return the value of --plan, empty if it was not given; raises UsageError for a text that no plan has as its identity."""
    if text is None:
        return ""
    if len(text) != PLAN_ID_LENGTH or not set(text) <= set("0123456789abcdef"):
        raise UsageError(
            f"--plan={text} is not the id of a plan", hint="Use the id that --dry-run prints.", state="Nothing was changed."
        )
    return text


def parse_sql_file(text: str | None) -> str:
    """Return the value of --sql, empty if it was not given; raises UsageError for an empty one, which would run the plan."""
    if text == "":
        raise UsageError("--sql needs the name of a file", hint="Use - for standard output.", state="Nothing was changed.")
    return text or ""


def write_arguments(request: Request) -> tuple[str, ...]:
    """Return a request as arguments of scripts/migrate.py."""
    flags = {field.name: field for field in fields(Request)}
    named = request.command in _NAMED
    written = [request.command, *([request.version] if named else [])]
    for name, field in flags.items():
        value = getattr(request, name)
        if name == "command" or value == field.default or (named and name == "version"):
            continue
        flag = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, tuple) else (value,)
        written += [flag if item is True else f"{flag}={item}" for item in values]
    return tuple(written)


def _check(request: Request) -> None:
    """Raise UsageError for flags that contradict each other, or for a number that is too small."""
    state = "Nothing was changed."
    for name, number, least in (("--steps", request.steps, 1), ("--limit", request.limit, 0)):
        if number < least:
            raise _build_count_error(name, number)
    if request.steps > 1 and request.to:
        raise UsageError("--steps and --to contradict each other", hint="Use one of them.", state=state)
    if request.only and (request.steps > 1 or request.to):
        raise UsageError("--only contradicts --steps and --to", hint="Use one of them.", state=state)
    if request.command == "rollback" and request.only and request.writes and not request.plan:
        command = compose_command("db.rollback", f"--only={request.only}")
        raise RefusedError(
            f"a rollback of only {request.only} needs a proof that no later migration depends on it",
            hint=f"{command} proves it on a scratch database, and runs that plan.",
            state=state,
        )
