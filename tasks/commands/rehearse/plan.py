"""The command db.plan."""

from __future__ import annotations

from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.rehearse.run import CHOICE_HELP, build_selector, read_seconds
from tasks.options import Options
from tasks.runner.events import CHECK_FOUND


@command(
    help={
        **CHOICE_HELP,
        "env": "the environment whose pending migrations are forecast: local (default), dev, staging, prod, or another",
        "all": "all migrations, as if none were applied",
        "only": "only these versions, comma-separated (a timestamp is enough), as if they were pending",
        "html": "write a page with the timeline of the locks to this file too",
        "verbose": "list harmless statements, and whole statements, too",
        "start": "start a machine on Fly if none is started",
    },
    iterable=["without_extension"],
)
def plan(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    all: bool = False,
    only: str = "",
    html: str = "",
    timeout: str = "",
    as_superuser: bool = False,
    verbose: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Forecast locks, waits and durations of pending files.

    Each file is observed on scratch and joined with the sizes and the activity of the environment. Exits with 4 if a file fails
    on scratch, whatever the verdicts.
    """
    from tasks.commands.rehearse.choose import pick
    from tasks.commands.rehearse.forecasting import forecast_environment, read_numbers, show_forecast
    from tasks.commands.scratch import read_extensions
    from tasks.config.environments import load_environment
    from tasks.runner.signals import Stop

    options = Options(json=json, verbose=verbose, start=start)
    with exit_on_error(json=json, rehearses=True) as seen:
        environment, selector, timeout_s = load_environment(env), build_selector(only, all, timeout), read_seconds(timeout)
        without, stop = read_extensions(without_extension), Stop()
        selection = pick(environment, selector, options, stop, seen)
        reached = bool(selection.server_version)
        live = read_numbers(environment, options, stop, seen, reached=reached) if selection.chosen else None
        events = forecast_environment(
            environment,
            selection,
            live,
            seen,
            without=without,
            as_superuser=as_superuser,
            timeout_s=timeout_s,
            progress=not json,
        )
        finished = show_forecast(events, environment, options, html=html)
    if finished is not None and finished.found:
        raise Exit(code=CHECK_FOUND)
