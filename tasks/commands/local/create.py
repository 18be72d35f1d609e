"""The command db.create."""

from __future__ import annotations

from collections.abc import Iterator

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.confirm import choose_approval
from tasks.commands.context import exit_on_error
from tasks.commands.flags import JSON_HELP
from tasks.commands.local import databases
from tasks.config.environments import Environment, find_database_url, load_environment
from tasks.options import Options
from tasks.report import report
from tasks.runner.errors import RefusedError
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop, catch_signals


@command(
    help={
        **JSON_HELP,
        "env": "the environment: local (default), or another whose database is reached by a URL",
        "yes": "confirm beforehand what a guarded environment asks",
    }
)
def create(_context: Context, env: str = "local", yes: bool = False, json: bool = False) -> None:
    """Create the database of DATABASE_URL, empty and in UTF-8.

    One that exists is left as it is.
    """
    databases.register_messages()
    with catch_signals() as stop, exit_on_error(json=json) as seen:
        report(_create(load_environment(env), Options(json=json, yes=yes), stop, seen), json=json)


def _create(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> Iterator[databases.DatabaseChanged]:
    if environment.fly_app:
        raise RefusedError(
            f"the database of {environment.name} is created on Fly",
            hint="fly postgres create, or fly mpg create; then attach it to the app.",
            state=databases.UNCHANGED,
        )
    url = find_database_url(environment)
    seen.append(url)
    found = databases.LocalDatabase(url, databases.find_name(url), exists=False)
    with databases.administer(url) as connection:
        if databases.exists(connection, found.name):
            yield found.describe("exists")
            return
        approve = choose_approval(environment, Request("create"), options, stop)
        if approve is not None:
            approve()
        with databases.reserve(found):
            created = databases.create(connection, found.name)
    yield found.describe("created" if created else "exists")
