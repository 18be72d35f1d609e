"""The connection on which models are created: it records the SQL instead of running it.

No driver and no database is needed: https://docs.sqlalchemy.org/en/20/faq/metadata_schema.html (how to get DDL as text).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.schema import DDL, AddConstraint, CreateTable
from sqlalchemy.sql.elements import TextClause

from .errors import WorkerError
from .tables import show_name


class _NoResult:
    """The result of a statement that is recorded and not run: any use of it is an error."""

    def __getattr__(self, name: str) -> Any:
        raise WorkerError("reads", name=name)

    def __iter__(self) -> Iterator[Any]:
        raise WorkerError("reads", name="rows")


class DdlRecorder(MockConnection):
    """A connection that records the SQL of what is executed."""

    def __init__(self, dialect: Any) -> None:
        super().__init__(dialect, self._record)
        self.statements: list[dict[str, str]] = []
        self.is_ours = False
        """Whether a statement comes from here, not from SQLAlchemy or a listener."""

    def _record(self, construct: Any, *parameters: Any, **_named: Any) -> _NoResult:
        if self.is_ours or not _adds_foreign_key(construct):
            statement = {"text": _compile(construct, parameters, self.dialect), "for": _name_target(construct)}
            # An enum of two MetaData is one.
            if not type(construct).__name__.startswith("Create") or statement not in self.statements:
                self.statements.append(statement)
        return _NoResult()

    def exec_driver_sql(self, statement: str, *_parameters: Any, **_options: Any) -> _NoResult:
        """Record a text."""
        return self._record(statement)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise WorkerError("reads", name=name)


def _compile(construct: Any, parameters: tuple[Any, ...], dialect: Any) -> str:
    """Return the SQL of what is executed.

    Foreign keys follow when all tables exist: they may form cycles, or refer to other models.
    """
    if isinstance(construct, str):
        return construct.strip()
    if type(construct) is CreateTable:
        construct = CreateTable(construct.element, include_foreign_key_constraints=[])
    if hasattr(construct, "element") or isinstance(construct, DDL):
        return str(construct.compile(dialect=dialect)).strip()
    if parameters and isinstance(parameters[0], dict):
        # The types of the parameters of a text are not known before they have values.
        bind = construct.bindparams if isinstance(construct, TextClause) else construct.params
        construct = bind(**parameters[0])
    return str(construct.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).strip()


def _adds_foreign_key(construct: Any) -> bool:
    return isinstance(construct, AddConstraint) and isinstance(construct.element, ForeignKeyConstraint)


def _name_target(construct: Any) -> str:
    """Return what a statement is for, for a message; empty for a statement of a listener."""
    element = getattr(construct, "element", None)
    table = getattr(element, "table", element)
    return show_name(table) if hasattr(table, "columns") and hasattr(table, "schema") else ""
