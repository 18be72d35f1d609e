r"""Read a dump into a local database, which it replaces: into a new database first, so that nothing changes if it fails.

A dump may be forged: SQL of a superuser can run programs (COPY … FROM PROGRAM), and so can psql (`\!`, CVE-2025-8714). It is
run as a role that has no rights beyond the new database, by the embedded psql, which then accepts no commands (`\restrict`).
https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-META-COMMAND-RESTRICT
"""

from __future__ import annotations

import secrets
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg.conninfo import make_conninfo

from tasks.commands.context import exit_on_error
from tasks.commands.dumps.dump_file import DumpFile, open_dump
from tasks.commands.dumps.replacement import count_tables, label_local, replace_database, take_over
from tasks.commands.local.locality import has_objects, require_local
from tasks.config.environments import load_environment
from tasks.console.prompts import confirm_by_typing, require_prompt
from tasks.options import Options
from tasks.programs.finding import find_embedded_psql
from tasks.programs.running import read_exit_code, start_program
from tasks.programs.service_file import build_environment, list_parameters, open_service
from tasks.runner.command_lines import compose_command, quote_words
from tasks.runner.database.addresses import describe_database, resolve
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import show_path
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer

_STATE = "Nothing was changed: the dump is read into a new database first."
_ARGUMENTS = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f", "-")
_PREAMBLE = b"""\
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET client_min_messages = warning;
SELECT pg_catalog.set_config('search_path', '', false);
"""
"""What pg_dump writes at the beginning of a dump, which is run in another session."""


def restore(file: str, options: Options, *, env: str, as_superuser: bool) -> None:
    """Replace a local database by the contents of a dump; asks first if it is not empty."""
    with exit_on_error() as seen, catch_signals() as stop:
        dump = open_dump(Path(file))
        url = require_local(load_environment(env), stop, command="db.restore")
        seen.append(url)
        _confirm(url, file, options, stop)
        try:
            tables = _restore(dump, url, stop, as_superuser=as_superuser)
        except psycopg.Error as error:
            raise RunnerError(f"the dump cannot be restored: {str(error).strip()}", state=_STATE) from error
        print(f"✅ Restored {show_path(dump.path)} into {resolve(url).database}: {_show(tables)}")
        print(f"   {compose_command('db.status')}   show which migrations it has")


def _confirm(url: str, file: str, options: Options, stop: Stop) -> None:
    with connect(url, name="migrate-restore") as connection:
        is_empty, tables = not has_objects(connection), count_tables(connection)
    if is_empty or options.yes:
        return
    name = resolve(url).database
    what = f"{name} is not empty ({_show(tables)}), and {quote_words(file)} replaces it with all its rows"
    hint = f"Confirm it beforehand: {compose_command('db.restore', file, '--yes')}"
    require_prompt(f"{what}: that asks for confirmation", hint, json=options.json)
    confirm_by_typing(f"{what}.", name, stop)


def _show(tables: int) -> str:
    return f"{tables} table{'' if tables == 1 else 's'}"


def _restore(dump: DumpFile, url: str, stop: Stop, *, as_superuser: bool) -> int:
    """Read the dump into a new database, put that in the place of the old one, and return its number of tables."""
    from tasks.rehearsal.errors import ScratchError
    from tasks.rehearsal.scratch.dump import load_dump
    from tasks.rehearsal.scratch.roles import find_named
    from tasks.rehearsal.scratch.server import ScratchServer

    name = resolve(url).database
    administrative = make_conninfo(url, dbname="template1" if name == "postgres" else "postgres")
    try:
        with ScratchServer(administrative, as_superuser=as_superuser) as server, server.make() as made:
            server.make_roles(find_named("".join(f"CREATE POLICY p ON t TO {roles};" for roles in dump.roles)))
            load_dump(made, dump.beginning)
            stop.check()
            _run_psql(dump, made)
            stop.check()
            tables = _finish(server, made, url)
            replace_database(server.administer(), old=name, new=made.name)
            return tables
    except ScratchError as error:
        raise RunnerError(
            error.message.replace("scratch server", f"server of {describe_database(url)}"),
            hint=error.hint,
            state=_STATE,
            sqlstate=error.sqlstate,
        ) from error


def _finish(server: ScratchServer, made: ScratchDatabase, url: str) -> int:
    with connect(made.url, name="migrate-restore") as connection:
        label_local(connection)
    with connect(make_conninfo(url, dbname=made.name), name="migrate-restore") as connection:
        take_over(connection, server.role)
        return count_tables(connection)


def _run_psql(dump: DumpFile, made: ScratchDatabase) -> None:
    """Run the rest of a dump in one transaction; raises RunnerError if psql refuses it."""
    program = find_embedded_psql()
    with open_service(list_parameters(made.url)) as service:
        environment = build_environment(service, terminal=False)
        with start_program(program, _ARGUMENTS, environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            # psql has reported why it ended early.
            with suppress(BrokenPipeError):
                process.stdin.write(f"\\restrict {secrets.token_hex(32)}\n".encode())
                process.stdin.write(_PREAMBLE if dump.beginning else b"")
                process.stdin.writelines(dump.read_rest())
                process.stdin.close()
        code = read_exit_code(process.returncode)
    if code:
        raise RunnerError(
            "the dump cannot be restored; psql's message is above",
            hint="If it needs rights of a superuser and you trust it: --as-superuser",
            state=_STATE,
        )
