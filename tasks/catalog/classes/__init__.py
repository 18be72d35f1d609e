"""The classes of objects that a schema has, each with the query that reads it."""

from __future__ import annotations

from tasks.catalog.classes import access, comments, containers, routines, tables
from tasks.catalog.classes import constraints as rules
from tasks.catalog.classes import foreign_data as outside
from tasks.catalog.classes.object_class import LEDGER_TABLES, ObjectClass

CLASSES: tuple[ObjectClass, ...] = (
    *containers.CLASSES,
    *tables.CLASSES,
    *rules.CLASSES,
    *routines.CLASSES,
    *access.CLASSES,
    *outside.CLASSES,
    *comments.CLASSES,
)

__all__ = ["CLASSES", "LEDGER_TABLES", "ObjectClass"]
