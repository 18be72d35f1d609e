"""The names of verdicts: a digest of everything that a verdict rests on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from functools import cache
from pathlib import Path

from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.description import describe_server
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import VerifyOptions

_TASKS = Path(__file__).resolve().parents[3]
_CODE = ("catalog", "postgres", "rehearsal", "runner")
_PACKAGES = ("psycopg", "pglast")


def name_context(server: ScratchServer, options: VerifyOptions) -> str:
    """Return a digest of what all verdicts of a command rest on: the tool, the scratch server, and the options."""
    return _digest((sum_code(_TASKS), describe_server(server), options))


class VerdictKeys:
    """The names of the verdicts for the migrations of one selection in one context.

    A verdict rests on the migration's own texts and on the ups before it; if it is late, also on those that are applied.
    """

    def __init__(self, selection: Selection, context: str) -> None:
        self._selection = selection
        self._states: dict[str, str] = {}
        state = context
        for migration in selection.migrations:
            self._states[migration.name] = state
            state = _digest((state, migration.name, migration.up, migration.shown))

    def name(self, migration: RehearsedMigration) -> str:
        """Return the name of the verdict of a migration of the selection."""
        version = migration.name
        deferred = self._selection.is_deferred(version)
        others = self._selection.list_orders(version) if deferred or self._selection.is_late(version) else ()
        texts = [[(each.name, each.up, each.shown) for each in order] for order in others]
        own = (version, migration.up, migration.down, migration.shown, migration.shown_down, deferred)
        return _digest((self._states[version], own, texts))


@cache
def sum_code(folder: Path) -> str:
    """Return a digest of the source files that decide verdicts, and of the versions of what they use.

    The version of the tool would not do: it is developed where it is used.
    """
    total = hashlib.sha256(repr((sys.version, [importlib.metadata.version(name) for name in _PACKAGES])).encode())
    for package in _CODE:
        for path in sorted(each for each in (folder / package).rglob("*") if each.suffix in (".py", ".sql", ".control")):
            total.update(f"\0{path.relative_to(folder)}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
