"""The tasks db.cleanup-legacy and db.squash, thin: files and a scratch server → operation → report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from tasks.commands.dispatch import exit_on_error, load
from tasks.commands.scratch import open_scratch, read_extensions
from tasks.runner.operations.requests import read_number

if TYPE_CHECKING:
    pass

_SCRATCH = {
    "without_extension": "leave out what needs these extensions (with commas), where the scratch server lacks them",
    "timeout": "seconds that one file may take on scratch (600)",
    "json": "JSON lines on stdout and nothing else there",
}


@task(
    name="cleanup-legacy",
    iterable=["folder"],
    help={
        **_SCRATCH,
        "folder": "a folder or file with old SQL (repeat it); default: the migrations folder, and scripts/ beside it",
        "apply": "do what is shown: rename, set aside, write headers and renames.toml",
        "write_downs": "write down files where there are none, proved on scratch and marked for review",
    },
)
def cleanup_legacy(
    _context: Context,
    folder: list[str],
    apply: bool = False,
    write_downs: bool = False,
    without_extension: str = "",
    timeout: str = "600",
    json: bool = False,
) -> None:
    """Propose what becomes of old SQL files: names, order, and which of them still count; with --apply, do it."""
    from tasks.legacy.cleanup import clean_up, find_old_files, plan_cleanup
    from tasks.report import report
    from tasks.report.cleanup import register_words

    register_words()
    with exit_on_error(json=json):
        settings, timeout_s = load("local").settings, read_number("--timeout", timeout)
        files = find_old_files(folder, settings.migrations_dir)
        with open_scratch(settings, target=settings.database_url, without=read_extensions(without_extension)) as server:
            cleanup = plan_cleanup(files, settings.migrations_dir, server, write_downs=write_downs, timeout_s=timeout_s)
            report(clean_up(cleanup, server, apply=apply), json=json)


@task(
    help={
        "timeout": _SCRATCH["timeout"],
        "json": _SCRATCH["json"],
        "to": "the last version that becomes part of the one (its timestamp is enough)",
        "dry_run": "show the file and prove it on scratch, and change nothing",
        "verbose": "show the text of the file",
    },
)
def squash(
    _context: Context,
    to: str,
    dry_run: bool = False,
    timeout: str = "600",
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Make one migration of all up to a version, proved on scratch; databases that have them run nothing."""
    from tasks.report import report
    from tasks.report.cleanup import register_words
    from tasks.squash.squash import plan_squash, squash_files

    register_words()
    with exit_on_error(json=json):
        settings, timeout_s = load("local").settings, read_number("--timeout", timeout)
        with open_scratch(settings, target=settings.database_url) as server:
            made = plan_squash(settings.migrations_dir, to, server, timeout_s=timeout_s)
            report(squash_files(made, apply=not dry_run), json=json, verbose=verbose)
