"""A run whose connection broke: found again by its id, followed to its end, and never guessed at."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tasks.fly.remote_commands import ALIVE, build_look
from tasks.fly.timeouts import read_patience
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
_UNKNOWN_LOOKS = 3
"""How often the log must know nothing of a run, and its machine no process, before we believe that it never began: the machine
may have been told to start it a moment before the connection broke."""
_MAY_RUN = "It may still run over there."


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
    """Find out how a run ended, and end as it did; while it still goes on, wait for it.

    Raises RunnerError with the run's own error, or where no way back to it is found in time.
    """
    deadline = time.monotonic() + read_patience().follow_s
    known = OutcomeRead(remote.identity.run_id, "unknown", ())
    enough = 1 if lost.run.exit_code is not None else _UNKNOWN_LOOKS
    looks, pause_s, told_running = 0, 0.0, False
    while True:
        try:
            remote.stop.sleep(pause_s)
            pause_s = _POLL_S
            known = _look(remote, lost)
            deadline = time.monotonic() + read_patience().follow_s
            looks = looks + 1 if known.outcome == "unknown" else 0
            if known.outcome == "running" and not told_running:
                told_running = True
                yield known
            if known.outcome not in ("running", "unknown") or looks >= enough:
                break
        except Interruption as interruption:
            yield from remote.decide(interruption, known.steps)
            lost.run.ending = True
        except RunnerError as error:
            if time.monotonic() > deadline:
                raise _give_up(remote, error) from error
    yield known
    yield from _conclude(remote, lost, known)


def _look(remote: Reconnector, lost: LostRun) -> OutcomeRead:
    """Ask the log how the run ended, after a look whether its process lives; raises RunnerError where neither can be asked."""
    with ExitStack() as stack:
        connection = remote.enter(stack, preferred=lost.machine_id)
        folder = remote.place_files(connection)
        look = build_look(remote.identity.run_id, end=lost.run.ending)
        asked = Request("outcome", version=remote.identity.run_id)
        run = remote.build_run(connection, folder, asked, run_id=Identity().run_id, before=look)
        events = list(run)
    found = next((event for event in events if isinstance(event, OutcomeRead)), None)
    if found is None:
        told = next((event.message for event in events if isinstance(event, ErrorRaised)), "the machine did not tell")
        raise RunnerError(run.reason or told, state=_MAY_RUN)
    if ALIVE in run.noise and found.outcome in ("died", "unknown"):
        return replace(found, outcome="running")
    return found


def _conclude(remote: Reconnector, lost: LostRun, known: OutcomeRead) -> Iterator[Event]:
    """End as the run ended: with its last event, or with its error."""
    if known.outcome == "finished":
        yield RunFinished(lost.command, len(known.steps), 0)
        return
    if known.outcome == "unknown" and lost.run.exit_code is not None:
        raise remote.refuse(lost.run, untouched=True)
    words = lost.run.errors[-1].strip() if lost.run.errors else ""
    reasons = {
        "failed": known.error or "the run failed over there",
        "died": f"the run died over there: {words}" if words else "the run died over there without a word",
        "unknown": "the run ended before it began to change anything",
    }
    look = f"inv db.status --env={remote.environment.name}"
    raise RunnerError(
        reasons[known.outcome],
        hint=f"{STEPS_ARE_RECOUNTED} {look}" if lost.command == "rollback" else f"{RESUME_HINT} {look}",
        state=f"Done and recorded before: {', '.join(known.steps)}." if known.steps else "The run recorded no step as done.",
        sqlstate=known.sqlstate,
    )


def _give_up(remote: Reconnector, error: RunnerError) -> RunnerError:
    return RunnerError(
        f"the outcome of run {remote.identity.run_id} is not known: {error.message}",
        hint=f"When {remote.environment.name} can be reached: inv db.history --env={remote.environment.name}",
        state=_MAY_RUN,
    )
