"""The command db.cleanup-legacy."""

from __future__ import annotations

from itertools import chain

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.flags import SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import load_environment
from tasks.runner.operations.requests import parse_count


@command(
    name="cleanup-legacy",
    iterable=["folder", "without_extension"],
    help={
        **SCRATCH_HELP,
        "folder": "a folder or file with old SQL files (repeatable); default: the migrations folder, and scripts/ beside it",
        "apply": "apply the proposal: rename files, set superseded ones aside, write headers and renames.toml",
        "write_downs": "write missing down files, proved on scratch and marked for review",
    },
)
def cleanup_legacy(
    _context: Context,
    folder: list[str],
    without_extension: list[str],
    apply: bool = False,
    write_downs: bool = False,
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
) -> None:
    """Propose names and an order for old SQL files.

    Superseded files are named too. --apply applies the proposal.
    """
    from tasks.legacy.cleanup import CleanupOptions, clean_up
    from tasks.legacy.investigation import plan_cleanup
    from tasks.legacy.reading.sources import count_unread_sql, find_old_files, list_sources
    from tasks.report import report
    from tasks.report.cleanup import register_messages

    register_messages()
    with exit_on_error(json=json):
        settings, timeout_s = load_environment("local").settings, parse_count("--timeout", timeout)
        migrations = settings.migrations_dir
        sources, files = list_sources(folder, migrations), find_old_files(folder, migrations)
        without = read_extensions(without_extension)
        flags = {
            f"--without-extension={','.join(without)}": bool(without),
            f"--timeout={timeout}": timeout != "600",
            "--as-superuser": as_superuser,
            "--write-downs": write_downs,
        }
        options = CleanupOptions(
            apply,
            tuple(folder),
            tuple(each for each, given in flags.items() if given),
            count_unread_sql(folder, migrations, files),
        )
        with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
            cleanup = plan_cleanup(files, migrations, server, sources=sources, write_downs=write_downs, timeout_s=timeout_s)
            report(chain(clean_up(cleanup, server, options), note_stand_ins(server)), json=json)
