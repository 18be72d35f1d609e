"""The event of db.check-models."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.catalog import Difference
from tasks.runner.events import Event, event


@event("models_checked")
@dataclass(frozen=True, slots=True)
class ModelsChecked(Event):
    """The difference from the schema that the migrations make to the one that models describe."""

    models: tuple[str, ...]
    tables: int
    """How many tables the models have."""
    versions: int
    changes: Difference
    left_out: Difference = field(default_factory=Difference)
    """What is not compared, because models cannot express it."""
    exclude: tuple[str, ...] = ()
    """The tables that the command leaves out."""
    unchecked: tuple[str, ...] = ()
    """The statements that were skipped on scratch."""
