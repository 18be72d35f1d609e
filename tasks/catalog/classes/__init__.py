"""The classes of objects of a schema, each with the query that reads it."""

from __future__ import annotations

from tasks.catalog.classes import access, comments, constraints, containers, foreign_data, routines, tables
from tasks.catalog.classes.object_class import LEDGER_TABLES, ObjectClass

CLASSES: tuple[ObjectClass, ...] = (
    *containers.CLASSES,
    *tables.CLASSES,
    *constraints.CLASSES,
    *routines.CLASSES,
    *access.CLASSES,
    *foreign_data.CLASSES,
    *comments.CLASSES,
)

__all__ = ["CLASSES", "LEDGER_TABLES", "ObjectClass"]
