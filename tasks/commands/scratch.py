"""Opening the scratch server that the settings name: the same way for every task that rehearses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.config.environments import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.settings import Settings


def open_scratch(settings: Settings, *, target: str = "", without: Sequence[str] = ()) -> ScratchServer:
    """Open the server of SCRATCH_DATABASE_URL, or the embedded one; to be used in a `with`.

    `target` is the URL of the database that is spoken of, which must not be the scratch server's. Raises RunnerError.
    """
    from tasks.rehearsal.scratch.server import open_server

    return open_server(settings.scratch_url, embedded_directory=PROJECT / ".postgres", target_url=target, without=without)


def read_extensions(given: str) -> tuple[str, ...]:
    """Read the names of extensions that are done without, separated by commas or spaces."""
    return tuple(given.replace(",", " ").split())
