"""Who blocks whom: the sessions that wait for locks, those that block them, and the end of one of these."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import psycopg

from tasks.runner.command_lines import compose_command
from tasks.runner.database.addresses import describe_connection
from tasks.runner.database.blocking import end_session, read_clock, read_prepared, read_sessions
from tasks.runner.database.session import begin_own, connect, roll_back
from tasks.runner.errors import PlanChangedError, RefusedError, RunnerError, UsageError
from tasks.runner.events import BlockersRead, Event, LockSession, RepairProposed, RunFinished, SessionEnded
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.ledger.active_run import read_active_run
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.guard import LOCK_TIMEOUT
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.operations.migrate import Approve, Confirm
from tasks.runner.operations.repair import build_unconfirmed_error, identify_proposal

END = "end session"
"""The change that ends a session; its version is the process, its digest the start of the session."""
_STATE = "Nothing was changed."
_READING = "ISOLATION LEVEL READ COMMITTED READ ONLY"


def list_blockers(runner: MigrationRunner) -> Iterator[Event]:
    """Yield the sessions of the database that wait for locks, with those that block them.

    Nothing of this waits for a lock: the ledger is only read where it can be locked at once.
    """
    with _open(runner) as connection:
        yield _read(runner, connection)


def end_blocker(
    runner: MigrationRunner,
    pid: int,
    confirm: Confirm | None,
    approve: Approve | None = None,
    agreed: Collection[str] = (),
    *,
    dry_run: bool = False,
) -> Iterator[Event]:
    """Yield who blocks whom, and end the session of a process that blocks others, after a confirmation.

    Only a session of the own role is ended. `agreed` contains the word of a proposal that was confirmed before. Raises UsageError
    if there is no such process, and RefusedError if it blocks none, belongs to another role, the question cannot be asked, or
    the process has another session by then.
    """
    with _open(runner) as connection:
        read = _read(runner, connection, pid)
        yield read
        proposal = _propose(read.sessions, pid)
        yield proposal
        roll_back(connection)
        if dry_run:
            yield RunFinished("blockers", 0, 0, dry_run=True, proposed=1)
            return
        if agreed:
            if set(agreed) != {identify_proposal(proposal)}:
                raise _build_changed_error(pid)
        elif confirm is None:
            raise build_unconfirmed_error()
        elif not confirm(proposal):
            yield RunFinished("blockers", 0, 0, proposed=1)
            return
        if approve is not None:
            approve()
        _end(runner, connection, proposal, pid)
    yield SessionEnded(pid)


def _end(runner: MigrationRunner, connection: psycopg.Connection, proposal: RepairProposed, pid: int) -> None:
    """End the session that was proposed, if it still is the one of the process: the answer may have taken a long time."""
    try:
        if _propose(read_sessions(connection, pid), pid) != proposal:
            raise _build_changed_error(pid)
        ended = end_session(connection, pid, proposal.digest)
    except psycopg.Error as error:
        raise runner.explain(error, "Whether the session was ended is unknown; inv db.blockers shows it.") from error
    if ended is None:
        raise _build_changed_error(pid)
    if not ended:
        raise RunnerError(
            f"pid {pid} has not ended yet",
            hint="It may be rolling back a large transaction. See whether it has ended: inv db.blockers",
            state="The server was asked to end the session.",
        )


def _open(runner: MigrationRunner) -> psycopg.Connection:
    return connect(runner.url, name=f"migrate-blockers {runner.identity.run_id}", ledger_owner=runner.ledger_owner)


def _read(runner: MigrationRunner, connection: psycopg.Connection, pid: int = 0) -> BlockersRead:
    try:
        sessions, prepared = read_sessions(connection, pid), read_prepared(connection)
        at = read_clock(connection)
        ledger = _read_ledger(connection)
        run = read_active_run(connection) if ledger else None
    except psycopg.Error as error:
        raise runner.explain(error, _STATE) from error
    if ledger:
        check_environment(ledger, runner.belonging)
    environment = runner.environment or (ledger.environment if ledger else "")
    shown = tuple(each for each in sessions if each.waits_for or _blocks(sessions, each.session.pid))
    return BlockersRead(environment, describe_connection(connection), at, sessions if pid else shown, prepared, run)


def _read_ledger(connection: psycopg.Connection) -> Ledger | None:
    """Return the ledger, or None if it cannot be read now; the transaction stays open if it can."""
    try:
        begin_own(connection, _READING, f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        return read_ledger(connection, partial=True)
    except (RunnerError, psycopg.errors.LockNotAvailable):
        roll_back(connection)
        return None


def _blocks(sessions: tuple[LockSession, ...], pid: int) -> bool:
    return any(pid in each.waits_for for each in sessions)


def _propose(sessions: tuple[LockSession, ...], pid: int) -> RepairProposed:
    """Return the proposal to end the session of a process; raises UsageError or RefusedError if that is not possible."""
    found = next((each for each in sessions if each.session.pid == pid), None)
    if found is None:
        raise UsageError(f"there is no session with pid {pid}", hint="See inv db.blockers for those that block.", state=_STATE)
    if not _blocks(sessions, pid):
        raise RefusedError(
            f"pid {pid} blocks no session of this database", hint="See inv db.blockers for those that block.", state=_STATE
        )
    if not found.own:
        role = found.session.user or "the server itself"
        raise RefusedError(
            f"pid {pid} belongs to {role}: this command ends only sessions of its own role",
            hint=f"Connect as {role} or as a superuser, if you may end it: SELECT pg_terminate_backend({pid});",
            state=_STATE,
        )
    is_run = found.session.application.startswith("migrate-run ")
    what = "It is the session of a run of this tool, which fails then. " if is_run else ""
    return RepairProposed(f"pid {pid}", END, f"{what}Its open transaction is rolled back.", digest=found.started)


def _build_changed_error(pid: int) -> PlanChangedError:
    again = compose_command("db.blockers")
    return PlanChangedError(f"pid {pid} is no longer the session that was shown", hint=f"See {again}.", state=_STATE)
