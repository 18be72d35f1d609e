"""The names of constraints, indexes and triggers that templates create, as PostgreSQL itself composes them where it does."""

from __future__ import annotations

import hashlib

from tasks.postgres.quoting import MAX_NAME_BYTES


def compose_name(*parts: str) -> str:
    """Return a name of parts that the server does not truncate: what is cut off is replaced by a digest, so it stays unique."""
    name = "_".join(parts)
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    digest = f"_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name.encode()[: MAX_NAME_BYTES - len(digest)].decode(errors="ignore") + digest


def name_index(table: str, *columns: str) -> str:
    """Return the name of an index."""
    return compose_name("idx", table, *columns)


def name_unique(table: str, *columns: str) -> str:
    """Return the name of a UNIQUE constraint and its index."""
    return compose_name(table, *columns, "key")


def name_foreign_key(table: str, *columns: str) -> str:
    """Return the name of a foreign key."""
    return compose_name(table, *columns, "fkey")


def name_not_null_check(table: str, column: str) -> str:
    """Return the name of the CHECK constraint that prepares NOT NULL; `…_not_null` is that of PostgreSQL 18 for NOT NULL."""
    return compose_name(table, column, "is_not_null")


def name_trigger(table: str) -> str:
    """Return the name of the trigger that sets updated_at."""
    return compose_name("update", table, "updated_at")
