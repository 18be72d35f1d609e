"""The local environment on another machine: such a DATABASE_URL is named, and asked about, before anything changes."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from tasks.commands.context import build_runner
from tasks.console.cells import clean
from tasks.console.prompts import confirm_by_typing, explain_no_prompt
from tasks.options import Options
from tasks.runner.database.addresses import describe_database, resolve
from tasks.runner.errors import RunnerError
from tasks.runner.ledger.environment_label import is_on_this_machine
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.settings import LOCAL
from tasks.runner.signals import Stop
from tasks.runner.urls import find_fault

if TYPE_CHECKING:
    from tasks.config.environments import Environment


def confirm_elsewhere(environment: Environment, options: Options, stop: Stop) -> Environment:
    """Print that the local database is on another machine, ask whether it is meant, and return the environment.

    A shell in which the URL of production is exported would change production as `local`. An answer is remembered: the
    database gets the label `local`, and is not asked about again. Without a terminal, or with --yes, the database is only named,
    and gets no label. Raises RefusedError for another answer than yes.
    """
    url = environment.settings.database_url
    if environment.name != LOCAL or not url or _is_by_socket(url) or not _is_elsewhere(environment, stop):
        return environment
    message = f"The local environment is not on this machine: DATABASE_URL is {clean(describe_database(url))}."
    if options.yes or explain_no_prompt(json=options.json):
        print(f"⚠️  {message}", file=sys.stderr)
        return environment
    confirm_by_typing(f"{message} This will change it.", "yes", stop)
    return replace(environment, confirmed_elsewhere=True)


def _is_by_socket(url: str) -> bool:
    return not find_fault(url) and resolve(url).host.startswith(("/", "@"))


def _is_elsewhere(environment: Environment, stop: Stop) -> bool:
    """Return True if the server is not on this machine and its database is not labelled as the local one."""
    try:
        with build_runner(environment, stop).read() as connection:
            return not is_on_this_machine(connection) and read_ledger(connection).environment != LOCAL
    except (RunnerError, psycopg.Error):
        return False  # The command itself reports why the database cannot be read.
