"""The command line of scripts/migrate.py: flags → operation → lines; the one place where its errors become exit codes.

The runner, and with it psycopg, is imported only by the commands that connect to a database.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.console import JsonReport, PlainReport, print_events
from tasks.console.boundary import check_packages, explain
from tasks.console.cells import clean
from tasks.console.command_parser import CommandFlags, CommandParsers
from tasks.console.heartbeat import send_heartbeats
from tasks.console.prompts import choose_confirm
from tasks.console.sql_files import SQL_HELP, STDOUT, keep_script
from tasks.console.streams import share_file
from tasks.runner.errors import RunnerError, UsageError, describe_error
from tasks.runner.identity import identify
from tasks.runner.operations.requests import HISTORY_LIMIT, Request, parse_plan, parse_sql_file, perform
from tasks.runner.setting_names import describe_process_misspellings
from tasks.runner.settings import (
    DatabaseUrlMissingError,
    RawSettings,
    find_migrations_dir,
    place_folders,
    require_database_url,
    validate,
)
from tasks.runner.signals import catch_signals

if TYPE_CHECKING:
    from tasks.runner.events import Event

_INTERNAL = ("files", "adopt", "settle", "catalog", "numbers", "queries", "probe", "outcome")
"""The commands that `inv` runs on a machine; users do not type them."""
_SWITCHES = {
    "--before-deploy": "leave the files marked after-deploy pending, for a release command",
    "--atomic": "apply all files and their rows in one transaction, or refuse",
    "--dry-run": "print the plan, in a READ ONLY transaction, and change nothing",
    "--strict": "refuse files that are older than the newest applied one",
    "--unmark": "remove the record instead",
    "--yes": "confirm every change without a question",
}
"""The help of the flags without a value."""
_PLAN_HELP = "run exactly the plan that --dry-run printed, or refuse"


def main(arguments: Sequence[str], environ: Mapping[str, str], project: Path) -> int:
    """Run one operation and return its exit code: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 a check found something.

    `project` is the folder with scripts, tasks, migrations and seeds.
    """
    options = _build_parser().parse(arguments)
    for warning in describe_process_misspellings(environ):
        print(clean(warning), file=sys.stderr)
    url = ""
    try:
        with catch_signals() as stop:
            raw = RawSettings(environ)
            if options.command == "files":
                from tasks.runner.operations.files import list_files

                return _print_events(list_files(find_migrations_dir(raw, project)), options)
            check_packages()
            settings = place_folders(validate(raw), raw, project)
            url = require_database_url(settings)
            from tasks.runner.execution.migration_runner import MigrationRunner

            runner = MigrationRunner(
                url,
                migrations_dir=settings.migrations_dir,
                seeds_dir=settings.seeds_dir,
                environment=options.env,
                fly_app=environ.get("FLY_APP_NAME", ""),
                policy=settings.policy,
                identity=identify(settings, options.run_id),
                stop=stop,
                watch_drift=settings.watch_drift,
                ledger_owner=settings.ledger_owner,
                ledger_readers=settings.ledger_readers,
                keep_text=settings.keep_text,
            )
            request = _build_request(options)
            confirm = choose_confirm(stop, yes=getattr(options, "yes", False), json=options.json)
            return _print_events(perform(request, runner, confirm), options)
    except DatabaseUrlMissingError as error:
        if options.json:
            JsonReport().write(describe_error(error, url))
        print(f"ERROR: {error.message}", file=sys.stderr)
        print(f"  Set it, for example: {error.hint}", file=sys.stderr)
        return error.exit_code
    except RunnerError as error:
        _print_error(error, url, options)
        return error.exit_code
    except Exception as error:
        explained = explain(error, url)
        if explained is None:
            raise
        _print_error(explained, url, options)
        return explained.exit_code
    except KeyboardInterrupt:
        print("Stopped by Ctrl-C. `status` shows the state of the database.", file=sys.stderr)
        return 1


def _build_parser() -> CommandParsers:
    common = CommandFlags("")
    common.add_argument("--json", action="store_true", help="print JSON lines on stdout and nothing else")
    common.add_argument(
        "--verbose",
        action="store_true",
        help="list every migration that is skipped and every statement that runs; with --dry-run, whole statements",
    )
    common.add_argument("--env", default="", metavar="NAME", help="refuse a database that belongs to another environment")
    common.add_argument("--run-id", default="", help=argparse.SUPPRESS)
    common.add_argument(
        "--heartbeat", type=_read_count, default=0, metavar="S", help="with --json: emit a heartbeat every S seconds"
    )
    parsers = CommandParsers(
        "migrate.py",
        "Bring the database of DATABASE_URL to the schema of this checkout.",
        default="migrate",
        internal=_INTERNAL,
    )

    def add(name: str, text: str, *flags: str) -> CommandFlags:
        command = parsers.add(name, text, common)
        for flag in flags:
            command.add_argument(flag, action="store_true", help=_SWITCHES[flag])
        return command

    migrate = add(
        "migrate", "apply every pending migration (the default)", "--dry-run", "--strict", "--atomic", "--before-deploy"
    )
    migrate.add_argument("--to", default="", metavar="VERSION", help="stop after this version")
    migrate.add_argument("--plan", type=_read_plan, default=argparse.SUPPRESS, metavar="ID", help=_PLAN_HELP)
    migrate.add_argument("--sql", type=_read_sql_file, default=argparse.SUPPRESS, metavar="FILE", help=SQL_HELP)
    rollback = add("rollback", "roll back the last migrations", "--dry-run")
    rollback.add_argument("--yes", action="store_true", help="run a stored text that cannot be verified, without a question")
    rollback.add_argument("--plan", type=_read_plan, default=argparse.SUPPRESS, metavar="ID", help=_PLAN_HELP)
    rollback.add_argument("--steps", type=_read_count, default=1, metavar="N", help="how many migrations to roll back (1)")
    rollback.add_argument("--to", default="", metavar="VERSION", help="roll back everything after this version; 0 rolls back all")
    status = add("status", "show the state of every migration")
    status.add_argument("--check", action="store_true", help="exit with 4 unless everything is applied")
    status.add_argument("--limit", type=_read_count, default=0, metavar="N", help="only the newest N")
    history = add("history", "show the log, failures included")
    history.add_argument("--limit", type=_read_count, default=0, metavar="N", help=f"only the newest N rows ({HISTORY_LIMIT})")
    history.add_argument("--version", default="", help="only this version")
    history.add_argument("--locks", action="store_true", help="only how long each statement waited for locks and had them")
    for command in (migrate, rollback):
        command.add_argument("--forecast", default="", help=argparse.SUPPRESS)
    add("load", "build an empty database from migrations/schema.sql")
    seed = add("seed", "run the seeds that are new or changed", "--dry-run")
    seed.add_argument("--plan", type=_read_plan, default=argparse.SUPPRESS, metavar="ID", help=_PLAN_HELP)
    rollback.add_argument("--only", default="", metavar="VERSION", help="only this one, by the --plan that was proved on scratch")
    repair = add("repair", "bring the ledger in line with the files; each change is confirmed", "--yes", "--dry-run")
    repair.add_argument("--agree", action="append", default=[], metavar="CHANGE:VERSION[:DIGEST]", help="confirm this change")
    mark = add("mark", "record a migration as applied without running it; it is confirmed", "--yes", "--dry-run", "--unmark")
    mark.add_argument("version", metavar="VERSION", help="its timestamp is enough; --unmark removes the record instead")
    mark.add_argument("--agree", action="append", default=[], help=argparse.SUPPRESS)
    blockers = add("blockers", "show which sessions wait for which, and end one that blocks others", "--dry-run")
    blockers.add_argument("--kill", type=_read_count, default=0, metavar="PID", help="end the session of this process")
    blockers.add_argument("--yes", action="store_true", help="end it without a question")
    blockers.add_argument("--agree", action="append", default=[], metavar="SESSION", help=argparse.SUPPRESS)
    add("files", "list the migrations of this checkout with their checksums")
    adopt = add("adopt", "record the migrations that inv db.adopt proposed")
    adopt.add_argument("--version", required=True, metavar="SEEN", help="the state that the proposal was made from")
    adopt.add_argument("--agree", action="append", default=[], metavar="ADOPTIONS", help="the adoptions, packed")
    settle = add("settle", "record the result of inv db.drift as the expected schema")
    settle.add_argument("--version", required=True, metavar="SUM", help="the sum of the schema that was compared")
    settle.add_argument("--agree", action="append", default=[], metavar="SUM", help="the sum of its difference")
    add("catalog", "read the schema and the texts that were applied")
    add("numbers", "read sizes, activity and locks for a forecast")
    add("queries", "read the queries of pg_stat_statements")
    add("probe", "check the database without changing it")
    outcome = add("outcome", "read how a run ended")
    outcome.add_argument("--version", required=True, metavar="RUN", help="the run's id")
    return parsers


def _read_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _read_plan(text: str) -> str:
    try:
        return parse_plan(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message}. {error.hint}") from error


def _read_sql_file(text: str) -> str:
    try:
        return parse_sql_file(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message}. {error.hint}") from error


def _build_request(options: argparse.Namespace) -> Request:
    known = {field.name for field in fields(Request)}
    given = {name: value for name, value in vars(options).items() if name in known}
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Request(**values)


def _print_events(events: Iterator[Event], options: argparse.Namespace) -> int:
    sql = getattr(options, "sql", "")
    if sql:
        events = keep_script(events, sql, json=options.json)
    stream = sys.stderr if sql == STDOUT else sys.stdout
    report = JsonReport() if options.json else PlainReport(stream, verbose=options.verbose, joined=share_file())
    with send_heartbeats(report.write, options.heartbeat if options.json else 0) as write:
        last = print_events(events, write)
    if not getattr(options, "check", False):
        return 0
    from tasks.runner.events import CHECK_FOUND, StatusRead, needs_attention

    return CHECK_FOUND if isinstance(last, StatusRead) and needs_attention(last) else 0


def _print_error(error: RunnerError, url: str, options: argparse.Namespace) -> None:
    event = describe_error(error, url)
    if options.json:
        JsonReport().write(event)
    announced = error.announced if share_file() and not options.json else None
    PlainReport(sys.stderr, verbose=options.verbose).write_error(event, announced)
