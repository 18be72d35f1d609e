"""The command db.reset."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import build_runner, exit_on_error
from tasks.commands.dispatch import run_request
from tasks.commands.local import databases, replacing
from tasks.commands.local.drop import LOCAL_HELP, confirm_loss
from tasks.commands.local.locality import require_local
from tasks.config.environments import Environment, load_environment
from tasks.options import Options
from tasks.report import report
from tasks.runner.events import Event
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop, catch_signals

_UNFINISHED = "The new database is not complete. Fix what failed, then run inv db.migrate and inv db.seed, or inv db.reset again."


@command(help={**LOCAL_HELP, "no_seed": "do not run the seeds afterwards", "verbose": "list every statement"})
def reset(
    _context: Context, env: str = "local", yes: bool = False, no_seed: bool = False, json: bool = False, verbose: bool = False
) -> None:
    """Create the local database again, with its seeds.

    It is dropped and created with the same settings; then all migrations are applied and the seeds run.
    """
    databases.register_messages()
    options = Options(json=json, yes=yes, verbose=verbose)
    with ExitStack() as reservation:
        with catch_signals() as stop, exit_on_error(json=json) as seen:
            report(_replace(load_environment(env), options, stop, seen, reservation), json=json)
        try:
            run_request(env, Request("migrate"), options)
            if not no_seed:
                run_request(env, Request("seed"), options)
        except Exit:
            print(_UNFINISHED, file=sys.stderr)
            raise


def _replace(environment: Environment, options: Options, stop: Stop, seen: list[str], reservation: ExitStack) -> Iterator[Event]:
    """Replace the database by an empty one, or create it if it does not exist; complete a reset that was interrupted.

    No other command drops the new one until `reservation` is closed.
    """
    with databases.refuse_ended_sessions():
        found = databases.find_local(environment, stop, command="db.reset")
    seen.append(found.url)
    reservation.enter_context(databases.reserve(found))
    with databases.administer(found.url) as connection:
        if not databases.exists(connection, found.name):
            spare = replacing.find_prepared(connection, found.name)
            if spare:
                replacing.finish(connection, found.name, spare)
            else:
                databases.create(connection, found.name)
            yield found.describe("created")
            return
        runner = build_runner(environment, stop)
        with databases.refuse_ended_sessions():
            with runner.read() as session:
                replacing.refuse_extensions(session)
            content = databases.read_content(found.url, connection, found.name)
        confirm_loss(found, content, options, stop, command="db.reset")
        lock = runner.make_lock()
        try:
            yield from lock.acquire()
            require_local(environment, stop, command="db.reset")
            spare = replacing.prepare(connection, found.name)
            replacing.replace(connection, found.name, spare)
        finally:
            lock.release()
    yield found.describe("replaced")
