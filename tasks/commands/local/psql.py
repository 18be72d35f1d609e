"""psql on the database of an environment."""

from __future__ import annotations

from invoke.exceptions import Exit

from tasks.commands.context import exit_on_error
from tasks.commands.local.reach import confirm_guarded, reach_database
from tasks.config.environments import load_environment
from tasks.options import Options
from tasks.programs.finding import choose_psql
from tasks.programs.running import has_terminal, run_program
from tasks.programs.service_file import build_environment, open_service
from tasks.runner.command_lines import compose_command

_STOP_AT_ERROR = ("-v", "ON_ERROR_STOP=1")
"""Without it, psql runs the rest of a script after an error, and exits with 0."""


def run_psql(env: str, statement: str | None, options: Options) -> None:
    """Run psql in the terminal, or with a statement, or with the statements on stdin; exit with its exit code.

    The connection is in a private service file; variables such as PGHOST do not lead psql elsewhere.
    """
    terminal = has_terminal() and statement is None
    arguments = ["-c", statement] if statement is not None else [] if terminal else list(_STOP_AT_ERROR)
    with exit_on_error():
        environment = load_environment(env)
        words = ["--yes"] if statement is None else ["--command=…", "--yes"]
        confirm_guarded(environment, options, compose_command("db.psql", *words, env=env))
        with reach_database(environment, options) as parameters:
            program = choose_psql(parameters, terminal=terminal)
            with open_service(parameters) as service:
                code = run_program(program, arguments, build_environment(service, terminal=terminal))
    if code:
        raise Exit(code=code)
