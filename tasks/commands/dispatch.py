"""What every task does: load the environment, do the request there, hand its events to the report, end with its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from tasks.alerts import watch
from tasks.commands.confirm import confirm_guarded
from tasks.config.environments import LOCAL, Environment, find_database_url, load_environment
from tasks.console.prompts import choose_confirm
from tasks.postgres.server.cluster import ServerError
from tasks.report import report, report_error
from tasks.runner.errors import ReportedError, RunnerError, describe_error
from tasks.runner.events import CHECK_FOUND, Event, StatusesRead, StatusRead, needs_attention
from tasks.runner.identity import Identity
from tasks.runner.operations.requests import Request, perform
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.runner.execution.migration_runner import MigrationRunner

_CHANGES_SCHEMA = frozenset({"migrate", "rollback"})


@dataclass(frozen=True, slots=True)
class Options:
    """Say how a request is done and shown."""

    json: bool = False
    verbose: bool = False
    yes: bool = False
    """Agree to everything that somebody would be asked."""
    start: bool = False
    """Start a machine where none is started."""
    upload: bool = False
    """Send this checkout's files to the machine and run those."""


def load(name: str) -> Environment:
    """Read and validate an environment."""
    return load_environment(name)


def run_request(names: str, request: Request, options: Options) -> None:
    """Do what is asked for in one environment, or in several one after the other, and print the events.

    All are loaded before the first is touched, so that a mistake in the last one's settings changes nothing.
    Raises Exit with the exit code of the first error, or with 4 when a check found something.
    """
    found = False
    with exit_on_error(json=options.json):
        environments = [load(name.strip()) for name in names.split(",")]
    with catch_signals() as stop:
        for environment in environments:
            with exit_on_error(json=options.json) as seen:
                last = run_request_in(environment, request, options, stop, seen)
            found = found or (request.check and isinstance(last, StatusRead) and needs_attention(last))
    if found:
        raise Exit(code=CHECK_FOUND)


def run_request_in(environment: Environment, request: Request, options: Options, stop: Stop, seen: list[str]) -> Event | None:
    """Do what is asked for in one environment and print the events; gives the last one."""
    confirm_guarded(environment, request, options, stop, lambda asked: open_events(environment, asked, options, stop, seen))
    events = open_events(environment, request, options, stop, seen)
    if request.writes:
        events = watch(events, environment, request.command)
    return report(events, json=options.json, verbose=options.verbose)


def show_side_by_side(names: str, request: Request, options: Options, *, html: str = "", prometheus: str = "") -> None:
    """Read the status of several environments at once and show it side by side; `html` and `prometheus` name files.

    Raises Exit with 4 when a check found something, or an environment that could not be reached.
    """
    from tasks.commands.overview import choose_environments, is_well, limit_rows, read_overview

    with exit_on_error(json=options.json), catch_signals() as stop:
        # The newest versions of one environment need not be those of another.
        whole, environments = replace(request, limit=0), choose_environments(names)
        overview = read_overview(environments, lambda environment: open_events(environment, whole, options, stop, []))
        stop.check()
        shown = limit_rows(overview, request.limit)
        report([shown], json=options.json)
        write_files(overview, shown, html, prometheus)
    if request.check and not is_well(overview):
        raise Exit(code=CHECK_FOUND)


def write_files(overview: StatusesRead, shown: StatusesRead, html: str, prometheus: str) -> None:
    """Write what is shown as a page, and the whole overview as gauges, where a file is named."""
    if html:
        from tasks.report.html import write_page

        write_page(shown, Path(html))
    if prometheus:
        from tasks.report.prometheus import write_gauges

        write_gauges(overview, Path(prometheus))


def open_events(environment: Environment, request: Request, options: Options, stop: Stop, seen: list[str]) -> Iterator[Event]:
    """Begin a request in an environment, here or on its machine; `seen` gets the URL whose password must not show."""
    if environment.fly_app:
        from tasks.fly.operation import run_remotely

        return run_remotely(environment, request, options, stop)
    runner = build_runner(environment, stop)
    seen.append(runner.url)
    events = perform(request, runner, choose_confirm(stop, yes=options.yes, json=options.json))
    if environment.name == LOCAL and request.writes and request.command in _CHANGES_SCHEMA:
        from tasks.commands.schema_file import keep_schema_file

        return keep_schema_file(events, runner)
    return events


def build_runner(environment: Environment, stop: Stop) -> MigrationRunner:
    """Make the runner for an environment whose database is reached by a URL."""
    from tasks.runner.execution.migration_runner import MigrationRunner

    return MigrationRunner(
        find_database_url(environment),
        migrations_dir=environment.settings.migrations_dir,
        seeds_dir=environment.settings.seeds_dir,
        environment=environment.name,
        policy=environment.settings.policy,
        identity=Identity(),
        stop=stop,
        watch_drift=environment.settings.watch_drift,
    )


@contextmanager
def exit_on_error(*, json: bool = False) -> Iterator[list[str]]:
    """Turn an error into its message and its exit code: the one place where a task ends early.

    Gives a list to which the caller adds the URLs whose passwords must not show.
    """
    urls: list[str] = []
    try:
        yield urls
    except ReportedError as error:
        raise Exit(code=error.exit_code) from error
    except RunnerError as error:
        report_error(describe_error(error, urls[-1] if urls else ""), json=json)
        raise Exit(code=error.exit_code) from error
    except ServerError as error:
        failed = RunnerError(error.message, hint=error.hint, state="Nothing was changed.")
        report_error(describe_error(failed, ""), json=json)
        raise Exit(code=failed.exit_code) from error
    except KeyboardInterrupt as interrupt:
        raise Exit("stopped at once; inv db.status shows what stands", code=1) from interrupt
