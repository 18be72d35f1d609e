"""What every command starts with: the environment, a runner for it, and one place that turns errors into exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from tasks.config.environments import Environment, find_database_url, list_warnings
from tasks.console.boundary import check_packages, explain
from tasks.console.cells import clean
from tasks.postgres.server.cluster import ServerError
from tasks.report import report_error
from tasks.runner.errors import ReportedError, RunnerError
from tasks.runner.identity import identify
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.runner.execution.migration_runner import MigrationRunner

_UNCHANGED = "No database was changed."


def build_runner(environment: Environment, stop: Stop) -> MigrationRunner:
    """Return the runner for an environment whose database is reached by a URL."""
    from tasks.runner.execution.migration_runner import MigrationRunner

    return MigrationRunner(
        find_database_url(environment),
        migrations_dir=environment.settings.migrations_dir,
        seeds_dir=environment.settings.seeds_dir,
        environment=environment.name,
        fly_app=environment.app,
        confirmed=environment.confirmed_elsewhere,
        policy=environment.settings.policy,
        identity=identify(environment.settings),
        stop=stop,
        watch_drift=environment.settings.watch_drift,
        ledger_owner=environment.settings.ledger_owner,
        ledger_readers=environment.settings.ledger_readers,
        keep_text=environment.settings.keep_text,
    )


@contextmanager
def exit_on_error(*, json: bool = False, rehearses: bool = False) -> Iterator[list[str]]:
    """Print an error and raise Exit with its exit code: the one place where a command ends early.

    `rehearses` means that the command changes scratch databases only. Warnings about the process environment are printed first,
    once per process.
    Yields a list to which the caller appends the URLs whose passwords must be redacted.
    """
    _warn_once()
    urls: list[str] = []
    try:
        check_packages()
        yield urls
    except ReportedError as error:
        raise Exit(code=error.exit_code) from error
    except RunnerError as error:
        report_error(error, urls[-1] if urls else "", json=json)
        raise Exit(code=error.exit_code) from error
    except ServerError as error:
        failed = RunnerError(error.message, hint=error.hint, state="Nothing was changed.")
        report_error(failed, json=json)
        raise Exit(code=failed.exit_code) from error
    except Exception as error:
        url = urls[-1] if urls else ""
        explained = explain(error, url, state=_UNCHANGED) if rehearses else explain(error, url)
        if explained is None:
            raise
        report_error(explained, url, json=json)
        raise Exit(code=explained.exit_code) from error
    except KeyboardInterrupt as interrupt:
        state = _UNCHANGED if rehearses else "See inv db.status for the state of the database."
        raise Exit(f"Stopped by Ctrl-C. {state}", code=1) from interrupt


@cache
def _warn_once() -> None:
    """Print a warning on stderr for each misspelt setting of the process environment."""
    for warning in list_warnings():
        print(clean(warning), file=sys.stderr)
