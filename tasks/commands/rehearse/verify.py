"""The command db.verify."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.rehearse.run import CHOICE_HELP, build_selector, read_seconds, run_rehearsal

if TYPE_CHECKING:
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.rehearsal.selection import Selection
    from tasks.runner.events import Event

_MOST_PROCESSES = 4
"""With more, the scratch server is the limit."""


@command(
    help={
        **CHOICE_HELP,
        "no_cache": "verify again what was verified before and is unchanged",
        "with_data": "also with a few generated rows in every table: shows which rows up fails on, and what up and down lose",
    },
    iterable=["without_extension"],
)
def verify(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    all: bool = False,
    only: str = "",
    with_data: bool = False,
    timeout: str = "",
    as_superuser: bool = False,
    no_cache: bool = False,
    json: bool = False,
) -> None:
    """Prove on scratch that migrations go up, down and up again.

    Exits with 4 if something is found.
    """

    def answer(server: ScratchServer, selection: Selection) -> Iterator[Event]:
        from tasks.rehearsal.verify.verdicts.known import open_known
        from tasks.rehearsal.verify.verify import VerifyOptions
        from tasks.rehearsal.verify.verify import verify as verify_migrations

        options = VerifyOptions(with_data, read_seconds(timeout))
        known = None if no_cache else open_known(server, options, os.environ)
        processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
        return verify_migrations(server, selection, options, known=known, processes=processes)

    run_rehearsal(
        env,
        lambda: build_selector(only, all, timeout),
        answer,
        without_extension=without_extension,
        as_superuser=as_superuser,
        json=json,
    )
