"""Open the scratch server of the settings, the same way for every command that rehearses."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tasks.config.environments import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.events import Event
    from tasks.runner.settings import Settings


_AS_SUPERUSER = """\
⚠️  --as-superuser: the SQL under test runs with all rights of the scratch server's role. If that is a superuser, it can run
   programs as the account of the server (with the embedded server: as you), and change every other database there.
"""


def open_scratch(
    settings: Settings, *, target: str = "", without: Sequence[str] = (), as_superuser: bool = False, writes: bool = False
) -> ScratchServer:
    """Return the server of SCRATCH_DATABASE_URL, or the embedded one, as a context manager.

    `target` is the URL of the database under test, which must not be on the scratch server. `as_superuser` rehearses with the
    rights of that server's role, after a warning. What a command `writes` must run on the servers of OLDEST_POSTGRES. Raises
    RunnerError.
    """
    from tasks.rehearsal.scratch.opening import check_version, open_server

    if as_superuser:
        print(_AS_SUPERUSER, end="", file=sys.stderr, flush=True)
    server = open_server(
        settings.scratch_url,
        embedded_directory=PROJECT / ".postgres",
        target_url=target,
        without=without,
        as_superuser=as_superuser,
    )
    if writes and settings.oldest_version:
        try:
            check_version(server, settings.oldest_version)
        except BaseException:
            server.close()
            raise
    return server


def note_stand_ins(server: ScratchServer) -> Iterator[Event]:
    """Yield which extensions were only rehearsed with a stand-in, if any; the scratch databases must be dropped before."""
    from tasks.rehearsal.events import StandInsUsed
    from tasks.report.stand_ins import register_messages

    register_messages()
    if server.stand_ins:
        yield StandInsUsed(server.stand_ins)


def read_extensions(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of extensions to leave out, each given alone or with others, separated by commas or spaces."""
    texts = [given] if isinstance(given, str) else given
    return tuple(name for text in texts for name in text.replace(",", " ").split())
