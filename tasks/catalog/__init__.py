"""A schema as a value: read from a database's catalog, compared with another, carried as JSON.

It stands below the runner, which keeps a fingerprint of it in the ledger, and below the rehearsal, which compares.
"""

from tasks.catalog.reading import read_catalog
from tasks.catalog.showing import show_difference, write_difference
from tasks.catalog.values import COLUMN_ORDER, Catalog, Change, Difference, Key, compare

__all__ = [
    "COLUMN_ORDER",
    "Catalog",
    "Change",
    "Difference",
    "Key",
    "compare",
    "read_catalog",
    "show_difference",
    "write_difference",
]
