"""Run a request in the environments that a command names, and print its events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from invoke.exceptions import Exit

from tasks.alerting.watcher import watch
from tasks.commands.confirm import choose_approval
from tasks.commands.context import build_runner, exit_on_error
from tasks.commands.elsewhere import confirm_elsewhere
from tasks.config.environments import LOCAL, Environment, list_environments, load_environment
from tasks.console.cells import clean
from tasks.console.prompts import choose_confirm
from tasks.console.sql_files import STDOUT, keep_script
from tasks.options import Options
from tasks.report import report
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.events import (
    CHECK_FOUND,
    CatalogRead,
    Event,
    HistoryRead,
    PlanMade,
    RunFinished,
    StatusesRead,
    StatusRead,
    needs_attention,
)
from tasks.runner.files.seeds import describe_unknown_folders
from tasks.runner.operations.forecast_text import pack_forecast
from tasks.runner.operations.requests import PLANNED, Request, perform
from tasks.runner.setting_names import WARNING_PREFIX
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.commands.confirm import Remark
    from tasks.runner.events import StatementVerdict
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.operations.migrate import Approve


Ask = Callable[[Request], Iterator[Event]]
"""Return the events of a request that only reads, on a connection that is open."""


class Foresight(Protocol):
    """The forecast of a request for a guarded environment."""

    verdicts: tuple[StatementVerdict, ...]
    """What was forecast, once the plan was shown."""

    def watch(self, events: Iterator[Event], ask: Ask | None = None) -> Iterator[Event]:
        """Yield the events of a run, with those of the forecast after its plan; raises RefusedError to prevent the run."""


Foresee = Callable[[Environment, Request, Options, Stop, str], Foresight]


def run_request(
    names: str, request: Request, options: Options, foresee: Foresee | None = None, remark: Remark | None = None
) -> None:
    """Run a request in one environment, or in several one after the other, and print its events.

    `foresee` forecasts it for guarded environments, and `remark` returns what a confirmation has to mention. All environments are
    loaded, and all guarded ones confirmed, before the first is changed. Raises Exit with the exit code of the first error, or
    with 4 if a check found something.
    """
    found = False
    with exit_on_error(json=options.json):
        environments = [load_environment(name.strip()) for name in names.split(",")]
        if options.sql and len(environments) > 1:
            raise UsageError(
                "--sql writes the script of one environment", hint="Name one with --env.", state="Nothing was changed."
            )
    if request.command == "seed":
        _warn_of_unknown_folders(environments)
    with catch_signals() as stop:
        with exit_on_error(json=options.json) as seen:
            approved = [
                _approve_request(environment, request, options, stop, names, foresee, remark) for environment in environments
            ]
            if len(environments) > 1:
                approved = [_confirm_beforehand(each, options, stop, seen) for each in approved]
        for each in approved:
            with exit_on_error(json=options.json) as seen:
                last = _run_approved(each, options, stop, seen)
            found = found or (request.check and isinstance(last, StatusRead) and needs_attention(last))
    if found:
        raise Exit(code=CHECK_FOUND)


def _warn_of_unknown_folders(environments: Sequence[Environment]) -> None:
    """Print a warning on stderr for each folder of seeds that belongs to no environment."""
    known = list_environments()
    for folder in dict.fromkeys(environment.settings.seeds_dir for environment in environments):
        for warning in describe_unknown_folders(folder, known):
            print(clean(f"{WARNING_PREFIX}{warning}"), file=sys.stderr)


@dataclass(frozen=True, slots=True)
class _Approved:
    """A request for an environment, and how its plan is approved; None if that is not necessary, or was done."""

    environment: Environment
    request: Request
    approve: Approve | None
    foresight: Foresight | None = None
    """Its forecast, which is shown before; None if there is none, or if it was shown."""


def _approve_request(
    environment: Environment,
    request: Request,
    options: Options,
    stop: Stop,
    names: str,
    foresee: Foresee | None,
    remark: Remark | None,
) -> _Approved:
    """Return a request with the way to approve it; raises RefusedError if it cannot be approved."""
    approve = choose_approval(environment, request, options, stop, names, remark)
    if request.writes:
        environment = confirm_elsewhere(environment, options, stop)
    if foresee is None or not environment.guarded or not request.writes:
        return _Approved(environment, request, approve)
    return _Approved(environment, request, approve, foresee(environment, request, options, stop, names))


def _confirm_beforehand(approved: _Approved, options: Options, stop: Stop, seen: list[str]) -> _Approved:
    """Show the plan of a guarded environment, ask for its name, and return the request for exactly this plan.

    With --yes nothing is asked, and any plan is run; but all forecasts are made before the first environment is changed.
    """
    if approved.approve is None and approved.foresight is None:
        return approved
    request = approved.request
    if request.command not in PLANNED and approved.approve is not None:
        approved.approve()
        return replace(approved, approve=None)
    plans: list[PlanMade] = []

    def keep(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, PlanMade):
                plans.append(event)
                yield replace(event, dry_run=False, purpose="confirm" if event.steps and approved.approve else "")
            elif not isinstance(event, RunFinished):
                yield event

    events = keep(open_events(approved.environment, replace(request, dry_run=True), options, stop, seen))
    report(approved.foresight.watch(events) if approved.foresight else events, json=options.json)
    if approved.foresight:
        request = replace(request, forecast=pack_forecast(approved.foresight.verdicts))
    if approved.approve is not None:
        request = replace(request, plan=plans[-1].plan_id if plans else "")
        if plans and plans[-1].steps:
            approved.approve()
    return replace(approved, approve=None, request=request, foresight=None)


def _run_approved(approved: _Approved, options: Options, stop: Stop, seen: list[str]) -> Event | None:
    """Run a request in one environment, print its events, and return the last one."""
    environment, request = approved.environment, approved.request
    events = open_events(environment, request, options, stop, seen, approved.approve, approved.foresight)
    if request.writes:
        events = watch(events, environment, request.command)
    if options.sql:
        events = keep_script(events, options.sql, json=options.json)
    stream = sys.stderr if options.sql == STDOUT and not options.json else None
    return report(events, stream=stream, json=options.json, verbose=options.verbose)


def show_side_by_side(names: str, request: Request, options: Options, *, html: str = "", prometheus: str = "") -> None:
    """Read the status of several environments at once and print it side by side; `html` and `prometheus` name files.

    Raises Exit with 4 if a check found something, or if an environment could not be reached.
    """
    from tasks.commands.overview import choose_environments, is_well, limit_rows, read_histories, read_overview
    from tasks.report.timeline.page import MOST_ROWS

    with exit_on_error(json=options.json), catch_signals() as stop:
        # The newest versions of one environment need not be those of another.
        unlimited, environments = replace(request, limit=0), choose_environments(names)
        overview = read_overview(environments, lambda environment: open_events(environment, unlimited, options, stop, []))
        stop.check()
        shown = limit_rows(overview, request.limit)
        report([shown], json=options.json)
        histories: tuple[HistoryRead, ...] = ()
        if html:
            reached = [each for each, column in zip(environments, overview.environments, strict=True) if not column.error]
            logged = Request("history", limit=MOST_ROWS)
            histories = read_histories(reached, lambda environment: open_events(environment, logged, options, stop, []))
            stop.check()
        write_files(overview, shown, html, prometheus, histories)
    if request.check and not is_well(overview):
        raise Exit(code=CHECK_FOUND)


def write_files(
    overview: StatusesRead, shown: StatusesRead, html: str, prometheus: str, histories: Sequence[HistoryRead] = ()
) -> None:
    """Write what is shown as a page with the history, and the complete overview as gauges, where a file is named."""
    if html:
        from tasks.report.html import write_page

        write_page(shown, Path(html), histories=histories)
    if prometheus:
        from tasks.report.prometheus import write_gauges

        write_gauges(overview, Path(prometheus))


def read_catalog(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> Generator[Event, None, CatalogRead]:
    """Yield the events of reading the schema of an environment, and return it; raises RunnerError if it was not read."""
    read = None
    for event in open_events(environment, Request("catalog"), options, stop, seen):
        if isinstance(event, CatalogRead):
            read = event
        else:
            yield event
    if read is None:
        hint = f"{compose_command('env.check', env=environment.name)} shows what is missing."
        raise RunnerError("the schema could not be read", hint=hint, state="Nothing was written.")
    return read


def open_events(
    environment: Environment,
    request: Request,
    options: Options,
    stop: Stop,
    seen: list[str],
    approve: Approve | None = None,
    foresight: Foresight | None = None,
) -> Iterator[Event]:
    """Return the events of a request, run by this process or on a machine on Fly, once its plan is forecast and approved.

    The URL whose password must be redacted is appended to `seen`.
    """
    if environment.fly_app:
        from tasks.fly.operation import run_remotely

        if foresight is None:
            return run_remotely(environment, request, options, stop, approve)
        return run_remotely(environment, request, options, stop, approve, foresight.watch, lambda: foresight.verdicts)
    runner = build_runner(environment, stop)
    seen.append(runner.url)
    events = perform(request, runner, choose_confirm(stop, yes=options.yes, json=options.json), approve)
    if foresight is not None:
        events = _forecast_first(events, runner, foresight)
    if environment.name == LOCAL and request.writes:
        from tasks.commands.schema_file import keep_schema_file
        from tasks.runner.planning.plan import CHANGES_SCHEMA

        if request.command in CHANGES_SCHEMA:
            return keep_schema_file(events, runner, environment.settings)
    return events


def _forecast_first(events: Iterator[Event], runner: MigrationRunner, foresight: Foresight) -> Iterator[Event]:
    """Return the events of a run with its forecast, which the runner gets for the log before it continues after the plan."""

    def pass_on() -> Iterator[Event]:
        for event in events:
            yield event
            runner.forecast = foresight.verdicts

    return foresight.watch(pass_on())
