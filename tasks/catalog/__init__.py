"""A schema as a value, read from the catalog of a database and compared with another.

The runner stores a fingerprint of it in the ledger; the rehearsal compares schemas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.catalog.marks import Additions, SchemaMark, find_additions, mark_schema
from tasks.catalog.reading import read_catalog
from tasks.catalog.values import (
    COLUMN_ORDER,
    DETAILS,
    LOCAL_COLUMN,
    LOCAL_CONSTRAINT,
    LOCAL_NULL,
    NAMED_NULL,
    PARAMETER_ORDER,
    Catalog,
    Change,
    Difference,
    Key,
)

if TYPE_CHECKING:
    from tasks.catalog.comparing import align, compare, divide, restrict, undo_upgrade
    from tasks.catalog.showing import mask_difference, show_difference, write_difference

__all__ = [
    "COLUMN_ORDER",
    "DETAILS",
    "LOCAL_COLUMN",
    "LOCAL_CONSTRAINT",
    "LOCAL_NULL",
    "NAMED_NULL",
    "PARAMETER_ORDER",
    "Additions",
    "Catalog",
    "Change",
    "Difference",
    "Key",
    "SchemaMark",
    "align",
    "compare",
    "divide",
    "find_additions",
    "mark_schema",
    "mask_difference",
    "read_catalog",
    "restrict",
    "show_difference",
    "undo_upgrade",
    "write_difference",
]


def __getattr__(name: str) -> Any:
    """Return what is not needed to read a schema, and takes half of the time to import this package."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tasks.catalog import comparing, showing

    return getattr(showing if name.endswith("_difference") else comparing, name)
