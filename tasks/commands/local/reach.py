"""How a program or a session on this laptop reaches the database of an environment, over Fly too."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tasks.config.environments import find_database_url
from tasks.console.cells import clean
from tasks.console.prompts import confirm_by_typing, require_prompt
from tasks.programs.service_file import list_parameters
from tasks.runner.command_lines import show_name
from tasks.runner.database.addresses import describe_database, resolve
from tasks.runner.ledger.environment_label import is_loopback
from tasks.runner.settings import LOCAL
from tasks.runner.signals import catch_signals

if TYPE_CHECKING:
    from tasks.config.environments import Environment
    from tasks.options import Options

_STATE = "Nothing was changed."


@contextmanager
def reach_database(environment: Environment, options: Options) -> Iterator[Mapping[str, str]]:
    """Yield the parameters with which libpq reaches the database of an environment.

    The embedded server is started if it is that. Raises RunnerError if the address is not known.
    """
    if environment.fly_app:
        from tasks.fly.database import open_database

        print(f"🔌 Connecting to {clean(show_name(environment.name))} over Fly", file=sys.stderr, flush=True)
        with ExitStack() as stack:
            with catch_signals() as stop:
                parameters = stack.enter_context(open_database(environment, options, stop))
            yield parameters
        return
    url = find_database_url(environment)
    listed = list_parameters(url)
    _name_elsewhere(environment, url)
    yield listed


def confirm_guarded(environment: Environment, options: Options, again: str) -> None:
    """Name a guarded environment on stderr, and ask for its name as before a change: statements may change anything.

    `again` is the command to run with --yes. Raises RefusedError for another answer, or if the question cannot be asked.
    """
    if not environment.guarded:
        return
    name = environment.name
    print(f"⚠️  {name} is guarded", file=sys.stderr, flush=True)
    if options.yes:
        return
    require_prompt(f"{name} is guarded and asks for confirmation", f"Confirm it beforehand: {again}", json=options.json)
    with catch_signals() as stop:
        confirm_by_typing(f"The statements may change {name}.", name, stop)


def _name_elsewhere(environment: Environment, url: str) -> None:
    """Print which database it is if the local environment is on another machine: DATABASE_URL may be that of production."""
    if environment.name == LOCAL and environment.settings.database_url:
        address = resolve(url)
        if not is_loopback(address.options.get("host", address.host), address.options.get("hostaddr", "")):
            where = clean(describe_database(url))
            print(f"⚠️  The local environment is not on this machine: DATABASE_URL is {where}.", file=sys.stderr, flush=True)
