"""Run a request in the environments that a command names, and print its events."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from tasks.runner.errors import UsageError
from tasks.runner.events import CHECK_FOUND, Event, HistoryRead, PlanMade, RunFinished, StatusesRead, StatusRead, needs_attention
from tasks.runner.files.seeds import describe_unknown_folders
from tasks.runner.operations.requests import PLANNED, Request, perform
from tasks.runner.setting_names import WARNING_PREFIX
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.commands.confirm import Remark
    from tasks.runner.operations.migrate import Approve


def run_request(names: str, request: Request, options: Options, remark: Remark | None = None) -> None:
    """Run a request in one environment, or in several one after the other, and print its events.

    All environments are loaded, and all guarded ones confirmed, before the first is changed. `remark` returns what such a
    confirmation has to mention. Raises Exit with the exit code of the first error, or with 4 if a check found something.
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
            approved = [_approve_request(environment, request, options, stop, names, remark) for environment in environments]
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


def _approve_request(
    environment: Environment, request: Request, options: Options, stop: Stop, names: str, remark: Remark | None
) -> _Approved:
    """Return a request with the way to approve it; raises RefusedError if it cannot be approved."""
    approve = choose_approval(environment, request, options, stop, names, remark)
    if request.writes:
        environment = confirm_elsewhere(environment, options, stop)
    return _Approved(environment, request, approve)


def _confirm_beforehand(approved: _Approved, options: Options, stop: Stop, seen: list[str]) -> _Approved:
    """Show the plan of a guarded environment, ask for its name, and return the request for exactly this plan."""
    if approved.approve is None:
        return approved
    request = approved.request
    if request.command not in PLANNED:
        approved.approve()
        return replace(approved, approve=None)
    plans: list[PlanMade] = []

    def keep(events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            if isinstance(event, PlanMade):
                plans.append(event)
                yield replace(event, dry_run=False, purpose="confirm" if event.steps else "")
            elif not isinstance(event, RunFinished):
                yield event

    report(keep(open_events(approved.environment, replace(request, dry_run=True), options, stop, seen)), json=options.json)
    if plans and plans[-1].steps:
        approved.approve()
    return replace(approved, approve=None, request=replace(request, plan=plans[-1].plan_id if plans else ""))


def _run_approved(approved: _Approved, options: Options, stop: Stop, seen: list[str]) -> Event | None:
    """Run a request in one environment, print its events, and return the last one."""
    environment, request = approved.environment, approved.request
    events = open_events(environment, request, options, stop, seen, approved.approve)
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


def open_events(
    environment: Environment, request: Request, options: Options, stop: Stop, seen: list[str], approve: Approve | None = None
) -> Iterator[Event]:
    """Return the events of a request, run by this process or on a machine on Fly, once its plan is approved.

    The URL whose password must be redacted is appended to `seen`.
    """
    if environment.fly_app:
        from tasks.fly.operation import run_remotely

        return run_remotely(environment, request, options, stop, approve)
    runner = build_runner(environment, stop)
    seen.append(runner.url)
    events = perform(request, runner, choose_confirm(stop, yes=options.yes, json=options.json), approve)
    if environment.name == LOCAL and request.writes:
        from tasks.commands.schema_file import keep_schema_file
        from tasks.runner.planning.plan import CHANGES_SCHEMA

        if request.command in CHANGES_SCHEMA:
            return keep_schema_file(events, runner, environment.settings)
    return events
