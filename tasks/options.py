"""The options of a command that are not part of the request itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Options of how a request is confirmed, where it runs, and how its events are printed."""

    json: bool = False
    """Print JSON lines only; nothing can be asked then."""
    verbose: bool = False
    yes: bool = False
    """Confirm everything beforehand."""
    start: bool = False
    """Start a machine if none is started."""
    upload: bool = False
    """Send the files of this checkout to the machine and run those."""
    sql: str = ""
    """The file for the script of a plan; - is standard output."""
    allow_blocking: bool = False
    """Run what is forecast to block everything for longer than MAX_BLOCKING."""
