"""The command db.schema."""

from __future__ import annotations

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import JSON_HELP, SUPERUSER_HELP
from tasks.commands.schema_file import TIMEOUT_S, write_from_files
from tasks.config.environments import LOCAL, load_environment
from tasks.runner.events import CHECK_FOUND, SchemaChecked
from tasks.runner.operations.requests import parse_count


@command(
    help={
        **SUPERUSER_HELP,
        **JSON_HELP,
        "check": "write nothing; exit with 4 if the file is not what the migrations make",
        "timeout": f"seconds that one migration may take on scratch ({TIMEOUT_S})",
    }
)
def schema(
    _context: Context, check: bool = False, timeout: str = str(TIMEOUT_S), as_superuser: bool = False, json: bool = False
) -> None:
    """Write migrations/schema.sql from the migration files.

    They are replayed on the scratch server; no other database is read.
    """
    from tasks.report import report

    with exit_on_error(json=json, rehearses=True):
        settings, timeout_s = load_environment(LOCAL).settings, parse_count("--timeout", timeout)
        events = write_from_files(settings, check=check, as_superuser=as_superuser, timeout_s=timeout_s)
        last = report(events, json=json)
    if isinstance(last, SchemaChecked) and last.differences:
        raise Exit(code=CHECK_FOUND)
