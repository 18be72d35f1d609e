"""The events of an import of Alembic's revisions."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import Event, event


@dataclass(frozen=True, slots=True)
class RevisionImported:
    """What a revision becomes: `version` is empty for one without statements. `warnings` are about its statements."""

    revision: str
    path: str
    version: str
    is_new: bool
    irreversible: str = ""
    """Why its migration cannot be rolled back."""
    warnings: tuple[str, ...] = ()


@event("alembic_import_planned")
@dataclass(frozen=True, slots=True)
class AlembicImportPlanned(Event):
    """What the revisions of Alembic become, in order; `unproved` is why nothing is proved, empty if it is."""

    folder: str
    revisions: tuple[RevisionImported, ...]
    unproved: str = ""
    warnings: tuple[str, ...] = ()


@event("alembic_import_finished")
@dataclass(frozen=True, slots=True)
class AlembicImportFinished(Event):
    """The files that were written, or that would be if it was not `applied`; none if everything was imported before."""

    files: tuple[str, ...]
    applied: bool
    proved: bool
