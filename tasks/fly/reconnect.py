"""A run whose connection was lost: found again by its id and followed until its outcome is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tasks.fly.remote_commands import ALIVE, build_search
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RESUME_HINT, STEPS_ARE_RECOUNTED, Interruption, RunnerError
from tasks.runner.events import ErrorRaised, Event, OutcomeRead, RunFinished
from tasks.runner.identity import Identity
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from fabric import Connection

    from tasks.config.environments import Environment
    from tasks.fly.stream import RemoteRun

_POLL_S = 1.0
_UNKNOWN_CHECKS = 3
"""How often neither the log nor the machine may know a run before it counts as never started: the machine may start it a moment
after the connection was lost."""
_MAY_RUN = "It may still be running on the machine."


@dataclass(frozen=True, slots=True)
class LostRun:
    """A run whose connection was lost before its end, the machine that it runs on, and its command."""

    machine_id: str
    run: RemoteRun
    command: str


class Reconnector(Protocol):
    """What is needed to look for a lost run: a way to connect again, and to run a request."""

    environment: Environment
    identity: Identity
    stop: Stop

    def enter(self, stack: ExitStack, *, preferred: str = "") -> Connection:
        """Connect to a started machine until the stack is closed."""

    def place_files(self, connection: Connection) -> str:
        """Return the folder on the machine whose files run."""

    def build_run(
        self, connection: Connection, folder: str, request: Request, *, run_id: str = "", before: str = ""
    ) -> RemoteRun:
        """Return the run of a request in a folder on the machine."""

    def decide(self, interruption: Interruption, steps: tuple[str, ...]) -> Iterator[Event]:
        """Ask what a signal means for the run; raises RunnerError if it is left running."""

    def refuse(self, run: RemoteRun, *, untouched: bool) -> RunnerError:
        """Return the error for a run that printed no events."""


def follow(remote: Reconnector, lost: LostRun) -> Iterator[Event]:
    """Wait for the outcome of a run, and end as it did.

    Raises RunnerError with the error of the run, or if no connection succeeds in time.
    """
    deadline = time.monotonic() + remote.environment.fly_timeouts.follow_s
    known = OutcomeRead(remote.identity.run_id, "unknown", ())
    enough = 1 if lost.run.exit_code is not None else _UNKNOWN_CHECKS
    checks, pause_s, reported_running = 0, 0.0, False
    while True:
        try:
            remote.stop.sleep(pause_s)
            pause_s = _POLL_S
            known = _read_outcome(remote, lost)
            deadline = time.monotonic() + remote.environment.fly_timeouts.follow_s
            checks = checks + 1 if known.outcome == "unknown" else 0
            if known.outcome == "running" and not reported_running:
                reported_running = True
                yield known
            if known.outcome not in ("running", "unknown") or checks >= enough:
                break
        except Interruption as interruption:
            yield from remote.decide(interruption, known.steps)
            lost.run.ending = True
        except RunnerError as error:
            if time.monotonic() > deadline:
                raise _give_up(remote, error) from error
    yield known
    yield from _conclude(remote, lost, known)


def _read_outcome(remote: Reconnector, lost: LostRun) -> OutcomeRead:
    """Return the outcome from the log, after a check whether the process exists; raises RunnerError without a connection."""
    with ExitStack() as stack:
        connection = remote.enter(stack, preferred=lost.machine_id)
        folder = remote.place_files(connection)
        search = build_search(remote.identity.run_id, end=lost.run.ending)
        asked = Request("outcome", version=remote.identity.run_id)
        run = remote.build_run(connection, folder, asked, run_id=Identity().run_id, before=search)
        events = list(run)
    found = next((event for event in events if isinstance(event, OutcomeRead)), None)
    if found is None:
        message = next((event.message for event in events if isinstance(event, ErrorRaised)), "no response from the machine")
        raise RunnerError(run.reason or message, state=_MAY_RUN)
    if ALIVE in run.noise and found.outcome in ("died", "unknown"):
        return replace(found, outcome="running")
    return found


def _conclude(remote: Reconnector, lost: LostRun, known: OutcomeRead) -> Iterator[Event]:
    """Yield the last event of the run, or raise its error."""
    if known.outcome == "finished":
        yield RunFinished(lost.command, len(known.steps), 0)
        return
    if known.outcome == "unknown" and lost.run.exit_code is not None:
        raise remote.refuse(lost.run, untouched=True)
    words = lost.run.errors[-1].strip() if lost.run.errors else ""
    reasons = {
        "failed": known.error or "the run failed on the machine",
        "died": f"the process on the machine died: {words}" if words else "the process on the machine died without output",
        "unknown": "the run ended before it changed anything",
    }
    status = compose_command("db.status", env=remote.environment.name)
    raise RunnerError(
        reasons[known.outcome],
        hint=f"{STEPS_ARE_RECOUNTED} {status}" if lost.command == "rollback" else f"{RESUME_HINT} {status}",
        state=f"Applied and recorded before: {', '.join(known.steps)}." if known.steps else "The run recorded no completed step.",
        sqlstate=known.sqlstate,
    )


def _give_up(remote: Reconnector, error: RunnerError) -> RunnerError:
    history = compose_command("db.history", env=remote.environment.name)
    return RunnerError(
        f"the outcome of run {remote.identity.run_id} is unknown: {error.message}",
        hint=f"Once {remote.environment.name} can be reached: {history}",
        state=_MAY_RUN,
    )
