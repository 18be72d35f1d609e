"""The names of verdicts: a digest of everything that a verdict rests on."""

from __future__ import annotations

from tasks.rehearsal.kept.code import TASKS, digest, sum_code
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.description import describe_server
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import VerifyOptions


def name_context(server: ScratchServer, options: VerifyOptions) -> str:
    """Return a digest of what all verdicts of a command rest on: the tool, the scratch server, and the options."""
    return digest((sum_code(TASKS), describe_server(server), options))


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
            state = digest((state, migration.name, migration.up, migration.shown))

    def name(self, migration: RehearsedMigration) -> str:
        """Return the name of the verdict of a migration of the selection."""
        version = migration.name
        deferred = self._selection.is_deferred(version)
        others = self._selection.list_orders(version) if deferred or self._selection.is_late(version) else ()
        texts = [[(each.name, each.up, each.shown) for each in order] for order in others]
        own = (version, migration.up, migration.down, migration.shown, migration.shown_down, deferred)
        return digest((self._states[version], own, texts))
