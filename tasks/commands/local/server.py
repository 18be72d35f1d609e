"""Start and stop the embedded server, and print the URL of a database for an application, psql or a GUI."""

from __future__ import annotations

import sys

from tasks.commands.context import exit_on_error
from tasks.commands.local.client_url import compose_client_url
from tasks.config.environments import PROJECT, Environment, find_database_url, load_environment
from tasks.runner.command_lines import compose_command, show_name
from tasks.runner.errors import RefusedError
from tasks.runner.settings import LOCAL

_FOLDER = PROJECT / ".postgres"


def start_server() -> None:
    """Start the embedded server if it is not running, and print how to connect."""
    from tasks.postgres.server import embedded

    with exit_on_error():
        running = embedded.find_running(_FOLDER) is not None
        embedded.start_for_clients(_FOLDER)
        server = embedded.find_server(_FOLDER)
        print(f"✅ The embedded PostgreSQL {'was already running' if running else 'is running'} on 127.0.0.1:{server.port}")
        print("   inv db.url     print its URL, for an application or a GUI")
        print("   inv db.psql    connect with psql")
        if load_environment(LOCAL).settings.database_url:
            print("⚠️  DATABASE_URL is set: the commands use that database, not the embedded one.", file=sys.stderr)


def stop_server() -> None:
    """Stop the embedded server, and the one for tests; the data stays."""
    from tasks.postgres.server import embedded, for_tests

    with exit_on_error():
        stopped = for_tests.stop(_FOLDER)
        stopped = embedded.stop(_FOLDER) or stopped
        print("✅ Stopped the embedded PostgreSQL" if stopped else "✅ The embedded PostgreSQL was not running")


def print_url(env: str) -> None:
    """Print the URL of an environment's database with its password, and nothing else on stdout."""
    with exit_on_error():
        print(find_client_url(load_environment(env)))


def find_client_url(environment: Environment) -> str:
    """Return the URL of an environment's database for clients; starts the embedded server if that is the database.

    Raises RefusedError for a Fly app: its database cannot be reached at its URL from here.
    """
    if environment.fly_app:
        name = show_name(environment.name)
        raise RefusedError(
            f"the URL of {name} is on the machines of {environment.fly_app}, is not printed, and cannot be reached from here",
            hint=f"Connect through Fly: {compose_command('db.psql', env=environment.name)}",
            state="Nothing was changed.",
        )
    if environment.name == LOCAL and not environment.settings.database_url:
        from tasks.postgres.server import embedded

        return embedded.start_for_clients(_FOLDER)
    return compose_client_url(find_database_url(environment))
