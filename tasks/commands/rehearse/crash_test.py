"""The command db.test-crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.rehearse.run import CHOICE_HELP, build_selector, read_seconds, run_rehearsal
from tasks.config.environments import load_environment

if TYPE_CHECKING:
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.rehearsal.selection import Selection
    from tasks.runner.events import Event


@command(name="test-crash", help=CHOICE_HELP, iterable=["without_extension"])
def crash_test(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    all: bool = False,
    only: str = "",
    timeout: str = "",
    as_superuser: bool = False,
    json: bool = False,
) -> None:
    """Kill runs on scratch, and prove that the next one resumes.

    Each run is killed after another statement. Exits with 4 unless the next run has the same result.
    """

    def answer(server: ScratchServer, selection: Selection) -> Iterator[Event]:
        from tasks.rehearsal.crash_test.crash_test import crash_and_resume

        folder = load_environment(env).settings.migrations_dir
        return crash_and_resume(server, selection, folder, timeout_s=read_seconds(timeout))

    run_rehearsal(
        env,
        lambda: build_selector(only, all, timeout),
        answer,
        without_extension=without_extension,
        as_superuser=as_superuser,
        json=json,
    )
