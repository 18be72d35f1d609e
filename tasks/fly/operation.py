"""An operation on a Fly machine: the same events as a local one, and a known outcome even if the connection is lost."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fabric import Connection

from tasks.config.environments import PROJECT, Environment
from tasks.console.cells import clean
from tasks.console.prompts import ask_to_leave, choose_confirm
from tasks.fly.confirmation import ConfirmRequest, approve_at_once, confirm_changes, confirm_plan, confirm_texts
from tasks.fly.failures import describe_refusal
from tasks.fly.flyctl import list_machines, start_machine
from tasks.fly.image_findings import name_image
from tasks.fly.machines import Machine, choose_machine, choose_startable, read_machines
from tasks.fly.reconnect import LostRun, follow
from tasks.fly.remote_commands import build_script, build_temporary_script
from tasks.fly.ssh import SshConnection, open_connection
from tasks.fly.stream import RemoteRun
from tasks.fly.upload import check_same_files, remove_upload, upload_checkout
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import Interruption, ReportedError, RunInterruptedError, RunnerError
from tasks.runner.events import (
    BlockersRead,
    ConnectionLost,
    ErrorRaised,
    Event,
    FilesFound,
    FilesRead,
    OutcomeRead,
    PlanMade,
    RepairProposed,
    RunStarted,
    Skipped,
    StepFinished,
)
from tasks.runner.files.checkout import read_migrations
from tasks.runner.identity import Identity, identify, read_revision
from tasks.runner.operations.requests import Request, write_arguments
from tasks.runner.signals import Stop, describe_signal

if TYPE_CHECKING:
    from tasks.runner.events import StatementVerdict
    from tasks.runner.operations.migrate import Approve

_COMPARED = frozenset({"migrate", "repair", "adopt", "mark"})
"""Operations that use the files, so that those of the image must be those of this checkout."""
_CHANGES_ARE_CONFIRMED = frozenset({"repair", "blockers", "mark"})
"""Operations that propose changes, each of which is confirmed."""
_START_DEADLINE_S = 90.0
_POLL_S = 0.5
_UNTOUCHED = "Nothing was changed."
_REPEATED = (RunStarted, FilesFound, Skipped, PlanMade, RepairProposed, BlockersRead)
"""The events of a run that its dry run has shown already."""


def run_remotely(
    environment: Environment,
    request: Request,
    options: Options,
    stop: Stop,
    approve: Approve | None = None,
    foresee: Callable[[Iterator[Event], Callable[[Request], Iterator[Event]]], Iterator[Event]] | None = None,
    get_verdicts: Callable[[], tuple[StatementVerdict, ...]] = tuple,
) -> Iterator[Event]:
    """Return the events of a request on a machine of the app; what needs confirmation is confirmed in this terminal first.

    `foresee` adds a forecast to the events of a dry run, for which it reads on the same connection; `get_verdicts` returns what
    was forecast, for the log of the run.
    """
    remote = build_remote(environment, options, stop)
    if foresee is not None:
        return remote.run_request(
            request, lambda events: confirm_plan(request, foresee(events, remote.ask), approve, get_verdicts)
        )
    if request.command in _CHANGES_ARE_CONFIRMED and request.writes:
        confirm = choose_confirm(stop, yes=options.yes, json=options.json)
        return remote.run_request(request, lambda events: confirm_changes(request, events, confirm, approve))
    if approve is None:
        confirm = choose_confirm(stop, yes=options.yes, json=options.json)
        if request.command == "rollback" and request.writes and not request.plan and confirm is not None:
            return remote.run_request(request, lambda events: confirm_texts(request, events, confirm))
        return remote.run_request(request)
    if request.command == "load":
        return remote.run_request(request, lambda _events: approve_at_once(request, approve))
    return remote.run_request(request, lambda events: confirm_plan(request, events, approve))


def build_remote(environment: Environment, options: Options, stop: Stop) -> Remote:
    """Return the remote of an environment for one run."""
    return Remote(environment, identify(environment.settings), stop, options, lambda: ask_to_leave(json=options.json))


@dataclass
class Remote:
    """Runs requests on a machine of one app, in the name of one person."""

    environment: Environment
    identity: Identity
    stop: Stop
    options: Options
    leave_running: Callable[[], bool]
    """Return True if the run on the machine continues after Ctrl-C."""
    machine_id: str = ""
    """The machine of the last connection."""
    _warned: set[str] = field(default_factory=set)
    _open: tuple[Connection, str] | None = None
    """The connection of the run that is being confirmed, and the folder of its files."""

    def run_request(self, request: Request, confirm: ConfirmRequest | None = None) -> Iterator[Event]:
        """Run a request and yield its events; raises ReportedError for an error that an event has reported.

        With `confirm`, what the request would do is shown first, and then what `confirm` returns is run, on the same connection.
        """
        with ExitStack() as stack:
            try:
                connection = self.enter(stack)
                folder = self.place_files(connection)
                if not self.options.upload and (request.writes or request.command in _COMPARED):
                    yield from self._compare_files(connection, request)
                if confirm is not None:
                    self._open = connection, folder
                    confirmed = yield from self._confirm(connection, folder, request, confirm)
                    if confirmed is None:
                        return
                    request = confirmed
                run = self.build_run(connection, folder, request)
                reported = yield from self._forward(run, request, repeated=_REPEATED if confirm else ())
                self.print_warnings(run)
            except Interruption as interruption:
                reason = f"stopped by {describe_signal(interruption.signal_name)}"
                raise RunInterruptedError(reason, hint="Run the same command again.", state=_UNTOUCHED) from interruption
        if run.complete:
            _finish(run, reported)
        elif not request.logs or (run.exit_code is not None and not run.started):
            raise self.refuse(run, untouched=not request.writes)
        else:
            if run.exit_code is None:
                yield ConnectionLost(self.identity.run_id, run.reason)
            yield from follow(self, LostRun(self.machine_id, run, request.command))

    def _confirm(
        self, connection: Connection, folder: str, request: Request, confirm: ConfirmRequest
    ) -> Generator[Event, None, Request | None]:
        """Yield what a request would do, and return what is confirmed; uploaded files that will not run are removed."""
        confirmed: Request | None = None
        try:
            confirmed = yield from confirm(self._show(connection, folder, replace(request, dry_run=True)))
        finally:
            if confirmed is None and self.options.upload:
                remove_upload(connection, folder)
        return confirmed

    def ask(self, request: Request) -> Iterator[Event]:
        """Yield the events of a request that only reads, while another one is being confirmed, on the connection of that one."""
        assert self._open is not None
        yield from self._show(*self._open, request)

    def _show(self, connection: Connection, folder: str, request: Request) -> Iterator[Event]:
        """Yield the events of a dry run; raises ReportedError for an error that an event has reported."""
        run = self.build_run(connection, folder, request, run_id=Identity().run_id, keeps_files=True)
        reported = yield from self._forward(run, request)
        self.print_warnings(run)
        if not run.complete:
            raise self.refuse(run, untouched=True)
        _finish(run, reported)

    def enter(self, stack: ExitStack, *, preferred: str = "") -> Connection:
        """Connect to a started machine until the stack is closed, to the preferred one if it is started."""
        environment = self.environment
        if sys.stderr.isatty():
            name, app = clean(environment.name), clean(environment.fly_app)
            print(f"⏳ Connecting to {name} (Fly app {app}) …", file=sys.stderr, flush=True)
        machine = self.find_machine(preferred)
        self.machine_id = machine.id
        reach = SshConnection(
            environment.fly_app, machine, environment.fly_user, environment.fly_organisation, environment.fly_timeouts
        )
        return stack.enter_context(open_connection(reach, self.stop))

    def find_machine(self, preferred: str = "") -> Machine:
        """Return a started machine, or start one if --start is set."""
        app, timeouts = self.environment.fly_app, self.environment.fly_timeouts
        machines = read_machines(list_machines(app, self.stop, timeouts))
        if self.options.start and not any(machine.serves for machine in machines):
            start_machine(app, choose_startable(machines, app=app).id, self.stop, timeouts)
            deadline = time.monotonic() + _START_DEADLINE_S
            while not any(machine.serves for machine in machines) and time.monotonic() < deadline:
                self.stop.sleep(_POLL_S)
                machines = read_machines(list_machines(app, self.stop, timeouts))
        return choose_machine(machines, app=app, preferred=preferred)

    def place_files(self, connection: Connection) -> str:
        """Return the folder on the machine whose files run: the image's, or a temporary one with this checkout."""
        settings = self.environment.settings
        if not self.options.upload:
            return self.environment.fly_folder
        return upload_checkout(connection, PROJECT, settings.migrations_dir, settings.seeds_dir, self.environment.name)

    def build_run(
        self,
        connection: Connection,
        folder: str,
        request: Request,
        *,
        run_id: str = "",
        before: str = "",
        keeps_files: bool = False,
    ) -> RemoteRun:
        """Return the run of a request in a folder on the machine; `before` is shell script that runs first.

        Uploaded files are removed after the run, unless it `keeps_files` for the next one.
        """
        settings = {"MIGRATE_ACTOR": self.identity.actor}
        if self.options.upload:
            settings |= {"MIGRATIONS_DIR": f"{folder}/migrations", "SEEDS_DIR": f"{folder}/seeds"}
            settings |= {"GIT_REVISION": read_revision(self.environment.settings.migrations_dir).commit}
        arguments = (
            *write_arguments(request),
            "--json",
            f"--heartbeat={self.environment.fly_timeouts.heartbeat_s}",
            f"--env={self.environment.name}",
            f"--run-id={run_id or self.identity.run_id}",
        )
        build = build_temporary_script if self.options.upload and not keeps_files else build_script
        script = build(folder, arguments, settings)
        whole = f"{before}; {script}" if before else script
        timeouts = self.environment.fly_timeouts
        return RemoteRun(connection, whole, self.stop, timeouts.silence_s, environment=self.environment.name)

    def decide(self, interruption: Interruption, steps: tuple[str, ...]) -> Iterator[Event]:
        """Ask what a signal means for the run on the machine; raises RunnerError if it is left running.

        Only Ctrl-C asks; a second Ctrl-C ends the run.
        """
        yield OutcomeRead(self.identity.run_id, "running", steps)
        self.stop = Stop()
        try:
            left = interruption.signal_name == "SIGINT" and self.leave_running()
        except KeyboardInterrupt:
            left = False
        if left:
            raise RunnerError(
                f"detached; run {self.identity.run_id} continues on the machine",
                hint=f"See {compose_command('db.history', env=self.environment.name)}",
                state=f"The log of {self.environment.name} records what the run does.",
            ) from interruption

    def refuse(self, run: RemoteRun, *, untouched: bool) -> RunnerError:
        """Return the error for a run that printed no events."""
        return describe_refusal(run, folder=self.environment.fly_folder, environment=self.environment.name, untouched=untouched)

    def print_warnings(self, run: RemoteRun) -> None:
        """Print what the machine reports about its settings, each line once; on stderr, so that stdout has only JSON lines."""
        for warning in run.warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                print(f"{clean(warning)} (on the machine)", file=sys.stderr)

    def _compare_files(self, connection: Connection, request: Request) -> Iterator[ErrorRaised]:
        """Raise an error if the tool on the machine is incompatible, or if its files differ and the request needs them.

        An error that the machine reports is yielded as an event.
        """
        run = self.build_run(connection, self.environment.fly_folder, Request("files"))
        on_machine: FilesRead | None = None
        for event in run:
            on_machine = event if isinstance(event, FilesRead) else on_machine
            if isinstance(event, ErrorRaised):
                yield event
                raise ReportedError(event.message, exit_code=event.exit_code)
        if on_machine is None:
            raise self.refuse(run, untouched=True)
        if request.command in _COMPARED:
            here = read_migrations(self.environment.settings.migrations_dir)
            check_same_files(here, on_machine, environment=self.environment.name)

    def _name_image(self, event: Event) -> Event:
        """Return an event of the image in the words of this checkout; uploaded files are its own."""
        if self.options.upload or not getattr(event, "findings", ()):
            return event
        versions = read_migrations(self.environment.settings.migrations_dir).checksums
        return name_image(event, self.environment.name, versions)

    def _forward(
        self, run: RemoteRun, request: Request, repeated: tuple[type[Event], ...] = ()
    ) -> Generator[Event, None, ErrorRaised | None]:
        """Yield the events, but for those `repeated`, and pass on a request to stop; return the error that was reported, if any.

        A plan is always yielded if it is not the one that was to be run.
        """
        reported: ErrorRaised | None = None
        steps: list[str] = []
        events = iter(run)
        while True:
            try:
                for event in events:
                    reported = event if isinstance(event, ErrorRaised) else reported
                    steps += [event.version] if isinstance(event, StepFinished) else []
                    if not isinstance(event, repeated) or getattr(event, "purpose", "") == "changed":
                        yield self._name_image(event)
                return reported
            except Interruption as interruption:
                if not request.logs:
                    raise
                yield from self.decide(interruption, tuple(steps))
                run.end(self.stop)
                events = run.resume()


def _finish(run: RemoteRun, reported: ErrorRaised | None) -> None:
    """Raise ReportedError with the exit code of a run that failed."""
    if reported is not None:
        raise ReportedError(reported.message, exit_code=run.exit_code or reported.exit_code)
    if run.exit_code:
        raise ReportedError("", exit_code=run.exit_code)
