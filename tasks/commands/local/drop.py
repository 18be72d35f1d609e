"""The command db.drop, and the question before a local database is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import build_runner, exit_on_error
from tasks.commands.flags import JSON_HELP
from tasks.commands.local import databases
from tasks.commands.local.databases import Content, LocalDatabase
from tasks.commands.local.locality import require_local
from tasks.commands.local.replacing import find_prepared
from tasks.config.environments import Environment, load_environment
from tasks.console.cells import clean
from tasks.console.lines import count, format_session
from tasks.console.prompts import read_answer, require_prompt
from tasks.options import Options
from tasks.report import report
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event
from tasks.runner.signals import Stop, catch_signals

_KIB = 1024
LOCAL_HELP = {
    **JSON_HELP,
    "env": "the environment; only one whose database is local can be used",
    "yes": "do not ask",
}


@command(help=LOCAL_HELP)
def drop(_context: Context, env: str = "local", yes: bool = False, json: bool = False) -> None:
    """Drop the local database, and end its sessions."""
    databases.register_messages()
    with catch_signals() as stop, exit_on_error(json=json) as seen:
        report(_drop(load_environment(env), Options(json=json, yes=yes), stop, seen), json=json)


def _drop(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> Iterator[Event]:
    with databases.refuse_ended_sessions():
        found = databases.find_local(environment, stop, command="db.drop")
    seen.append(found.url)
    with databases.reserve(found), databases.administer(found.url) as connection:
        if found.exists:
            with databases.refuse_ended_sessions():
                content = databases.read_content(found.url, connection, found.name)
            confirm_loss(found, content, options, stop, command="db.drop")
            lock = build_runner(environment, stop).make_lock()
            try:
                yield from lock.acquire()
                require_local(environment, stop, command="db.drop")
                databases.drop(connection, found.name)
            finally:
                lock.release()
        spare = find_prepared(connection, found.name)
        if spare:
            databases.drop(connection, spare)
    yield found.describe("dropped" if found.exists else "absent")


def confirm_loss(found: LocalDatabase, content: Content, options: Options, stop: Stop, *, command: str) -> None:
    """Ask whether a database with this content is dropped; raises RefusedError if not. One without tables is not asked about."""
    if options.yes or not (content.tables or content.sessions):
        return
    name = clean(found.name)
    rows = f", about {count(content.rows, 'row')}" if content.rows else ""
    lost = f"{count(content.tables, 'table')}{rows}, {_format_size(content.size)}"
    ended = "".join(f"\n  {format_session(session)}" for session in content.sessions)
    ends = f"\nIt also ends {count(len(content.sessions), 'session')}:{ended}" if content.sessions else ""
    message = f"{command} drops the database {name} with {lost}.{ends}"
    require_prompt(f"{message}\nThis needs confirmation", f"Confirm it beforehand: inv {command} --yes", json=options.json)
    if read_answer(f"{message}\nContinue? [y/N] ", stop).lower() not in {"y", "yes"}:
        raise RefusedError("not confirmed", hint="Run the same command again to be asked again.", state=databases.UNCHANGED)


def _format_size(size: int) -> str:
    return f"{size / _KIB / _KIB:.0f} MiB" if size >= _KIB * _KIB else f"{size / _KIB:.0f} KiB"
