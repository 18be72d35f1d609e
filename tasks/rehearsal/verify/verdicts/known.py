"""The verdicts that a verification can use again, by its migrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tasks.rehearsal.events import MigrationVerified
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import VerifyOptions
from tasks.rehearsal.verify.verdicts.keys import VerdictKeys, name_context
from tasks.rehearsal.verify.verdicts.store import VerdictStore, find_file


class KnownVerdicts:
    """The verdicts of a store in one context; none without a store."""

    def __init__(self, store: VerdictStore | None = None, context: str = "") -> None:
        self._store = store
        self._context = context
        self.begin(Selection((), (), ""))

    def begin(self, selection: Selection) -> None:
        """Look for the verdicts of this selection from now on: one without the migrations that were found to fail."""
        self._selection = selection
        self._keys = VerdictKeys(selection if self._store is not None else Selection((), (), ""), self._context)

    def find(self, migration: RehearsedMigration) -> MigrationVerified | None:
        """Return the result for a migration of the selection, if it is known."""
        found = self._store.find(self._keys.name(migration)) if self._store is not None else None
        return found.event if found else None

    def use(self, migration: RehearsedMigration, server: ScratchServer) -> MigrationVerified | None:
        """Return the result likewise, as one that is used again, and note on the server which stand-ins it rests on."""
        found = self._store.find(self._keys.name(migration)) if self._store is not None else None
        if found is None:
            return None
        server.note_stand_ins(name for name in found.stand_ins if self._is_named(name, migration))
        return replace(found.event, reused=True)

    def add(self, migration: RehearsedMigration, result: MigrationVerified) -> None:
        """Keep the result for a migration of the selection."""
        if self._store is not None:
            self._store.add(self._keys.name(migration), result)

    def save(self, stand_ins: Iterable[str]) -> None:
        """Write the store; `stand_ins` are those that the command used."""
        if self._store is not None:
            self._store.save(stand_ins)

    def _is_named(self, extension: str, migration: RehearsedMigration) -> bool:
        earlier = self._selection.list_before(migration.name)
        return any(extension in each.up for each in (*earlier, migration))


def open_known(server: ScratchServer, options: VerifyOptions, environ: Mapping[str, str]) -> KnownVerdicts:
    """Return the verdicts that the account has for a server and these options; raises ScratchError."""
    path = find_file(environ)
    return KnownVerdicts(VerdictStore(path), name_context(server, options)) if path else KnownVerdicts()
