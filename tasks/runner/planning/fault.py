"""An error of the server as a value: what the hints of the next step are chosen from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg

from tasks.postgres.quoting import show_qualified
from tasks.runner.database.fault_facts import FaultFacts

if TYPE_CHECKING:
    from tasks.runner.events import Session

_QUOTED = re.compile('["»«„“](?P<name>[^"»«„“”]+)["»«“”]')
"""The first name that a message quotes, in the quotes of any language."""


@dataclass(frozen=True, slots=True)
class ServerFault:
    """An error, the statement that raised it, and what is known about both; `statement` is empty outside a file."""

    sqlstate: str
    message: str = ""
    detail: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""
    datatype: str = ""
    statement: str = ""
    kind: str = ""
    """The parser's name of the statement."""
    line: int = 0
    script: str = ""
    """The text of the file."""
    before: tuple[str, ...] = ()
    """The statements before it in its transaction, which were rolled back with it."""
    blockers: tuple[Session, ...] = ()
    is_first: bool = False
    """Whether no migration is applied yet."""
    facts: FaultFacts = field(default_factory=FaultFacts)

    @property
    def name(self) -> str:
        """Return the first name that the message quotes."""
        match = _QUOTED.search(self.message)
        return match["name"] if match else ""

    @property
    def full_table(self) -> str:
        """Return the table as SQL."""
        return show_qualified(self.schema, self.table) if self.table else ""


def build_fault(
    error: psycopg.Error,
    *,
    statement: str = "",
    kind: str = "",
    line: int = 0,
    script: str = "",
    before: Sequence[str] = (),
    blockers: tuple[Session, ...] = (),
    is_first: bool = False,
    facts: FaultFacts | None = None,
) -> ServerFault:
    """Return the value of an error that the server raised."""
    diag = error.diag
    return ServerFault(
        error.sqlstate or "",
        diag.message_primary or "",
        diag.message_detail or "",
        diag.schema_name or "",
        diag.table_name or "",
        diag.column_name or "",
        diag.constraint_name or "",
        diag.datatype_name or "",
        statement,
        kind,
        line,
        script,
        tuple(before),
        blockers,
        is_first,
        facts or FaultFacts(),
    )
