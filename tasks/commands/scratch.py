"""Open the scratch server of the settings, the same way for every command that rehearses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.config.environments import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.settings import Settings


def open_scratch(settings: Settings, *, target: str = "", without: Sequence[str] = ()) -> ScratchServer:
    """Return the server of SCRATCH_DATABASE_URL, or the embedded one, as a context manager.

    `target` is the URL of the database under test, which must not be on the scratch server. Raises RunnerError.
    """
    from tasks.rehearsal.scratch.server import open_server

    return open_server(settings.scratch_url, embedded_directory=PROJECT / ".postgres", target_url=target, without=without)


def read_extensions(given: str) -> tuple[str, ...]:
    """Return the names of extensions to leave out, given separated by commas or spaces."""
    return tuple(given.replace(",", " ").split())
