"""Write schema and rows of a database as SQL, to stdout or to a file."""

from __future__ import annotations

import signal
from pathlib import Path

from psycopg.conninfo import make_conninfo

from tasks.checkout.writing import replace_file
from tasks.commands.context import exit_on_error
from tasks.commands.local.reach import reach_database
from tasks.config.environments import load_environment
from tasks.options import Options
from tasks.programs.finding import choose_pg_dump
from tasks.programs.running import BY_SIGNAL, run_program
from tasks.programs.service_file import build_environment, open_service
from tasks.runner.database.session import connect
from tasks.runner.errors import ReportedError, RunnerError
from tasks.runner.files.checkout import show_path

_ARGUMENTS = ("--encoding=UTF8", "--no-owner", "--no-privileges", "--no-tablespaces", "--no-subscriptions")
"""What a database on another server lacks is left out: roles, tablespaces, and the servers that are subscribed to."""
_MODE = 0o600
"""A dump contains the rows."""


def dump(env: str, output: str, options: Options) -> None:
    """Run pg_dump on an environment's database; a file is complete, or it is left as it was."""
    with exit_on_error():
        environment = load_environment(env)
        with reach_database(environment, options) as parameters:
            with connect(make_conninfo("", **parameters), name="migrate-dump") as connection:
                version = connection.info.server_version
            program = choose_pg_dump(parameters, version)
            with open_service(parameters) as service:
                variables = build_environment(service, terminal=False)
                if output:
                    _write(program, variables, Path(output))
                else:
                    _check(run_program(program, _ARGUMENTS, variables), "What was printed is not complete.")


def _write(program: Path, variables: dict[str, str], path: Path) -> None:
    """Write the dump to a file that only this user can read."""
    state = f"{show_path(path)} was not written."
    try:
        with replace_file(path, mode=_MODE) as file:
            _check(run_program(program, _ARGUMENTS, variables, stdout=file), state)
    except OSError as error:
        raise RunnerError(f"{show_path(path)} cannot be written: {error.strerror or error}", state=state) from error
    print(f"✅ Wrote {show_path(path)} ({path.stat().st_size} bytes)")


def _check(code: int, state: str) -> None:
    """Raise RunnerError if pg_dump failed; it has no message if the reader of a pipe closed it."""
    if code == BY_SIGNAL + signal.SIGPIPE:
        raise ReportedError("", exit_code=1)
    if code:
        raise RunnerError("pg_dump failed; its message is above", state=state)
