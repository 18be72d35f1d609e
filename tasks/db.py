"""The db.* tasks: flags and help only."""

from __future__ import annotations

from invoke.context import Context

from tasks.commands.adopt import adopt as adopt
from tasks.commands.check_order import check_order as check_order
from tasks.commands.cleanup_legacy import cleanup_legacy as cleanup_legacy
from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import run_request, show_side_by_side
from tasks.commands.dumps.dump import dump as dump_database
from tasks.commands.dumps.restore import restore as restore_database
from tasks.commands.flags import BLOCKING_HELP, ENV_HELP, ONE_ENV_HELP, RUN_HELP
from tasks.commands.generate.check_models import check_models as check_models
from tasks.commands.generate.import_alembic import import_alembic as import_alembic
from tasks.commands.generate.new_from import new as new
from tasks.commands.history.blockers import blockers as blockers
from tasks.commands.history.mark import mark as mark
from tasks.commands.history.redo import redo as redo
from tasks.commands.history.rollback import rollback as rollback
from tasks.commands.local.create import create as create
from tasks.commands.local.drop import drop as drop
from tasks.commands.local.psql import run_psql
from tasks.commands.local.reset import reset as reset
from tasks.commands.local.server import print_url, start_server, stop_server
from tasks.commands.local.wait import wait as wait_for_database
from tasks.commands.overview import ALL
from tasks.commands.rehearse.compat import compat as compat
from tasks.commands.rehearse.compat import describe_compat
from tasks.commands.rehearse.crash_test import crash_test as crash_test
from tasks.commands.rehearse.diagram import diagram as diagram
from tasks.commands.rehearse.drift import drift as drift
from tasks.commands.rehearse.foresight import foresee
from tasks.commands.rehearse.lint import lint as lint
from tasks.commands.rehearse.plan import plan as plan
from tasks.commands.rehearse.schema import schema as schema
from tasks.commands.rehearse.verify import verify as verify
from tasks.commands.squash import squash as squash
from tasks.console.sql_files import SQL_HELP, STDOUT
from tasks.options import Options
from tasks.runner.operations.requests import Request, parse_count, parse_plan, parse_sql_file


@command(
    help={
        **RUN_HELP,
        **BLOCKING_HELP,
        "to": "stop after this version (its timestamp is enough)",
        "strict": "refuse files that are older than the newest applied one",
        "sql": SQL_HELP,
        "atomic": "run all files in one transaction: all of them or none",
        "before_deploy": "leave the files marked after-deploy pending",
    }
)
def migrate(
    _context: Context,
    env: str = "local",
    dry_run: bool = False,
    to: str = "",
    strict: bool = False,
    atomic: bool = False,
    before_deploy: bool = False,
    json: bool = False,
    verbose: bool = False,
    yes: bool = False,
    start: bool = False,
    upload: bool = False,
    plan: str | None = None,
    sql: str | None = None,
    allow_blocking: bool = False,
) -> None:
    """Apply every pending migration."""
    with exit_on_error(json=json):
        file, chosen = parse_sql_file(sql), parse_plan(plan)
        request = Request(
            "migrate",
            to,
            strict,
            dry_run=dry_run,
            plan=chosen,
            atomic=atomic,
            before_deploy=before_deploy,
            sql=file and STDOUT,
            verbose=verbose,
        )
    run_request(env, request, Options(json, verbose, yes, start, upload, file, allow_blocking), foresee, describe_compat)


@command(
    help={
        **ENV_HELP,
        "env": "the environment; several comma-separated, or all: side by side",
        "json": "one JSON line on stdout",
        "check": "exit with 4 if anything is pending, late, edited, missing or interrupted",
        "limit": "only the newest N",
        "html": "write the table to this file too",
        "prometheus": "write gauges to this file, for node_exporter's textfile collector",
    }
)
def status(
    _context: Context,
    env: str = "local",
    check: bool = False,
    limit: str = "0",
    json: bool = False,
    start: bool = False,
    html: str = "",
    prometheus: str = "",
) -> None:
    """Show the state of every migration.

    Who applied it, when, and how long it took; several environments are shown side by side.
    """
    with exit_on_error(json=json):
        request = Request("status", limit=parse_count("--limit", limit), check=check)
    options = Options(json=json, start=start)
    if env == ALL or "," in env or html or prometheus:
        show_side_by_side(env, request, options, html=html, prometheus=prometheus)
    else:
        run_request(env, request, options)


@command(
    help={
        **ENV_HELP,
        "json": "one JSON line on stdout",
        "limit": "only the newest N rows (50)",
        "version": "only this version",
        "locks": "only how long each statement waited for locks and had them",
    }
)
def history(
    _context: Context,
    env: str = "local",
    limit: str = "0",
    version: str = "",
    locks: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Show the log: every attempt, failures included.

    The newest is the first. --locks shows the forecast, if one was confirmed, beside what happened.
    """
    with exit_on_error(json=json):
        request = Request("history", limit=parse_count("--limit", limit), version=version, locks=locks)
    run_request(env, request, Options(json=json, start=start))


@command(
    help={
        **ENV_HELP,
        "yes": "confirm every change without a prompt",
        "json": "print JSON lines on stdout",
        "dry_run": "print the proposed changes and change nothing",
    }
)
def repair(
    _context: Context, env: str = "local", yes: bool = False, dry_run: bool = False, json: bool = False, start: bool = False
) -> None:
    """Bring the ledger in line with the files.

    This concerns edited files, missing files and attempts that stopped. Each change is confirmed.
    """
    run_request(env, Request("repair", dry_run=dry_run), Options(json=json, yes=yes, start=start))


@command(help=RUN_HELP)
def seed(
    _context: Context,
    env: str = "local",
    dry_run: bool = False,
    json: bool = False,
    verbose: bool = False,
    yes: bool = False,
    start: bool = False,
    upload: bool = False,
    plan: str | None = None,
) -> None:
    """Run the seeds that are new or whose text changed."""
    with exit_on_error(json=json):
        request = Request("seed", dry_run=dry_run, plan=parse_plan(plan), verbose=verbose)
    run_request(env, request, Options(json, verbose, yes, start, upload))


@command(help={**ENV_HELP, "json": "print JSON lines on stdout", "yes": "confirm beforehand what a guarded environment asks"})
def load(_context: Context, env: str = "local", json: bool = False, yes: bool = False, start: bool = False) -> None:
    """Build an empty database from migrations/schema.sql.

    Its migrations are recorded as applied.
    """
    run_request(env, Request("load"), Options(json=json, yes=yes, start=start))


@command
def start(_context: Context) -> None:
    """Start the embedded PostgreSQL on 127.0.0.1 and its socket."""
    start_server()


@command
def stop(_context: Context) -> None:
    """Stop the embedded PostgreSQL; its data stays."""
    stop_server()


@command(help={"env": "the environment: local (default), or another whose DATABASE_URL is set"})
def url(_context: Context, env: str = "local") -> None:
    """Print the URL of the database, with its password."""
    print_url(env)


@command(
    help={
        **ONE_ENV_HELP,
        "command": "run this SQL and exit with the exit code of psql",
        "yes": "confirm beforehand what a guarded environment asks",
    }
)
def psql(_context: Context, env: str = "local", command: str | None = None, yes: bool = False, start: bool = False) -> None:
    """Run psql: in the terminal, --command, or from stdin."""
    run_psql(env, command, Options(yes=yes, start=start))


@command(help={**ONE_ENV_HELP, "timeout": "seconds to wait (60)"})
def wait(_context: Context, env: str = "local", timeout: str = "60", start: bool = False) -> None:
    """Wait until the database accepts connections."""
    wait_for_database(env, timeout, Options(start=start))


@command(help={**ONE_ENV_HELP, "output": "write to this file, which only you can read, instead of stdout"})
def dump(_context: Context, env: str = "local", output: str = "", start: bool = False) -> None:
    """Write schema and rows as SQL, for db.restore."""
    dump_database(env, output, Options(start=start))


@command(
    help={
        "file": "the dump, as db.dump writes it",
        "env": "the environment: local (default), or another whose database is on this machine",
        "yes": "replace a database that is not empty without a prompt",
        "as_superuser": "run the dump with all rights of the role of the database, which it can use for any program",
    },
    positional=["file"],
)
def restore(_context: Context, file: str, env: str = "local", yes: bool = False, as_superuser: bool = False) -> None:
    """Replace a local database by the contents of a dump."""
    restore_database(file, Options(yes=yes), env=env, as_superuser=as_superuser)
