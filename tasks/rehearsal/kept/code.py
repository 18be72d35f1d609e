"""The source files that decide what a rehearsal finds, and other values, as digests."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from functools import cache
from pathlib import Path

TASKS = Path(__file__).resolve().parents[2]
_CODE = ("catalog", "postgres", "rehearsal", "runner")
_PACKAGES = ("psycopg", "pglast")


@cache
def sum_code(folder: Path) -> str:
    """Return a digest of the source files that decide what a rehearsal finds, and of the versions of what they use.

    The version of the tool would not do: it is developed where it is used.
    """
    total = hashlib.sha256(repr((sys.version, [importlib.metadata.version(name) for name in _PACKAGES])).encode())
    for package in _CODE:
        for path in sorted(each for each in (folder / package).rglob("*") if each.suffix in (".py", ".sql", ".control")):
            total.update(f"\0{path.relative_to(folder)}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def digest(value: object) -> str:
    """Return a digest of what a value consists of: tuples, texts and other values with a complete repr()."""
    return hashlib.sha256(repr(value).encode("utf-8", "surrogatepass")).hexdigest()
