"""A schema as a value, read from the catalog of a database and compared with another.

The runner stores a fingerprint of it in the ledger; the rehearsal compares schemas.
"""

from tasks.catalog.comparing import align, compare, divide, restrict, undo_upgrade
from tasks.catalog.reading import read_catalog
from tasks.catalog.showing import mask_difference, show_difference, write_difference
from tasks.catalog.values import (
    COLUMN_ORDER,
    LOCAL_COLUMN,
    LOCAL_CONSTRAINT,
    Catalog,
    Change,
    Difference,
    Key,
)

__all__ = [
    "COLUMN_ORDER",
    "LOCAL_COLUMN",
    "LOCAL_CONSTRAINT",
    "Catalog",
    "Change",
    "Difference",
    "Key",
    "align",
    "compare",
    "divide",
    "mask_difference",
    "read_catalog",
    "restrict",
    "show_difference",
    "undo_upgrade",
    "write_difference",
]
