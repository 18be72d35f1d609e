"""The schema that a new migration leads to, as far as its source can express one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tasks.catalog import Catalog, Change
from tasks.rehearsal.replay.left_out import LeftOut


@dataclass(frozen=True, slots=True)
class WantedSchema:
    """A complete schema: what the source expresses as it is there, and everything else as in the schema before."""

    catalog: Catalog
    left_out: tuple[Change, ...] = ()
    """What differs, and stays as it was because the source cannot express it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """The source of a schema: models, a schema file, or an environment."""

    label: str
    """What messages call it, for example `the models app.models:Base`."""
    narrow: Callable[[Catalog], WantedSchema]
    """Returns the target for a schema before, which is that of the migrations, perhaps with objects under new names."""
    left_out: tuple[LeftOut, ...] = ()
    """The statements of the source that scratch skipped, because their extension is excluded: what they make is not compared."""
    orders_columns: bool = False
    """Whether the source states the order of columns, which no statement changes."""
