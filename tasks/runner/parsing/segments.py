"""Statements → segments: which statements share a transaction.

- A file without BEGIN, or with one pair of BEGIN and COMMIT, is one segment: the statements before BEGIN and after COMMIT
  join those of the pair.
- A statement that the server refuses in a transaction is a segment of its own, and so is a DO block or procedure call that
  ends transactions.
- If there is more than one segment anyway (two pairs, or a statement of its own), the borders in the file are kept: each pair
  is a segment, and so are the statements between two pairs.
- With `-- migrate: no-transaction` each statement outside a pair is a segment of its own. CALL and DO run outside a transaction,
  unless it is certain that they do not end it; each of the others shares a transaction with its record.

What the text does not show, the server does: it refuses a statement in a transaction, and `Script.separate` then divides the
segment. With the directive, nothing else is in that segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tasks.postgres.nontransactional import find_refusal
from tasks.postgres.targets import COMMITTING, Node
from tasks.runner.parsing.script import Segment, Statement
from tasks.runner.parsing.source_text import ScriptError
from tasks.runner.parsing.transaction_control import TransactionControl


class PlaceNames(Protocol):
    """What names the place of an error in a text."""

    @property
    def shift(self) -> int:
        """Return the number of characters before the text."""

    def error(self, offset: int, message: str, *, hint: str) -> ScriptError:
        """Return the error that points at a character of the text."""


class StatementStore(Protocol):
    """What statements are collected in, in order."""

    def append(self, statement: Statement, /) -> None:
        """Add the next statement."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: slice, /) -> Sequence[Statement]: ...


@dataclass(slots=True)
class _Unit:
    """The statements of a future segment, by their places; `own` marks a BEGIN … COMMIT of the file."""

    own: bool
    first: int
    last: int
    transactional: bool = True
    begin: str = ""


def group(
    items: Iterable[tuple[Statement, Node]], sql: PlaceNames, *, no_transaction: bool, collected: StatementStore | None = None
) -> tuple[Segment, ...]:
    """Group statements into segments; raises ScriptError where BEGIN and COMMIT of the file do not match.

    They are `collected` in a tuple, or in what keeps those of a large file.
    """
    kept = [] if collected is None else collected
    units = [unit for unit in _divide(items, sql, no_transaction, kept) if unit.last > unit.first]
    pairs = [unit for unit in units if unit.own]
    statements: Sequence[Statement] = tuple(kept) if isinstance(kept, list) else kept[:]
    if units and not no_transaction and len(pairs) <= 1 and all(unit.transactional for unit in units):
        return (Segment(statements, True, pairs[0].begin if pairs else ""),)
    return tuple(Segment(statements[unit.first : unit.last], unit.transactional, unit.begin) for unit in units)


def _divide(
    items: Iterable[tuple[Statement, Node]], sql: PlaceNames, no_transaction: bool, collected: StatementStore
) -> list[_Unit]:
    """Divide statements at each BEGIN and COMMIT of the file, and around those that cannot run in a transaction."""
    units: list[_Unit] = []
    opened: Statement | None = None
    control, pairs = TransactionControl(), 0
    for statement, node in items:
        verb = node["kind"] if statement.kind == "TransactionStmt" else ""
        if verb in ("TRANS_STMT_BEGIN", "TRANS_STMT_START"):
            if opened:
                raise _refuse_nested(statement, opened, sql)
            opened, pairs = statement, pairs + 1
            begin = statement.text if node.get("options") else ""
            units.append(_Unit(own=True, first=len(collected), last=len(collected), begin=begin))
        elif verb == "TRANS_STMT_COMMIT" and opened and not node.get("chain"):
            opened = None
        elif verb in ("TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK", "TRANS_STMT_PREPARE"):
            raise _refuse_end(statement, verb, sql, chain=node.get("chain", False))
        elif opened:
            if not statement.transactional or control.may_commit(statement):
                raise _refuse_inside(statement, node, opened, sql)
            collected.append(replace(statement, pair=pairs))
            units[-1].last = len(collected)
        else:
            _add_loose(units, statement, no_transaction, collected, commits=control.may_commit(statement))
    if opened:
        raise sql.error(opened.offset - sql.shift, "BEGIN without a COMMIT", hint="Add COMMIT; at the end of the file.")
    return units


def _add_loose(
    units: list[_Unit], statement: Statement, no_transaction: bool, collected: StatementStore, *, commits: bool | None
) -> None:
    """Add a statement outside of the file's own transactions; `commits` is None if it may end transactions itself."""
    if commits or (commits is None and no_transaction):
        statement = replace(statement, transactional=False, target=COMMITTING)
    joins = bool(units) and not no_transaction and statement.transactional and not units[-1].own and units[-1].transactional
    if not joins:
        units.append(_Unit(False, len(collected), len(collected), statement.transactional))
    collected.append(statement)
    units[-1].last = len(collected)


def _refuse_nested(statement: Statement, opened: Statement, sql: PlaceNames) -> ScriptError:
    return sql.error(
        statement.offset - sql.shift,
        f"BEGIN inside the transaction that line {opened.line} begins",
        hint="Delete it, or add COMMIT; before it.",
    )


def _refuse_inside(statement: Statement, node: Node, opened: Statement, sql: PlaceNames) -> ScriptError:
    refusal = find_refusal(statement.kind, node)
    return sql.error(
        statement.offset - sql.shift,
        f"{refusal.words if refusal else statement.label} cannot run in the transaction that line {opened.line} begins",
        hint=f"End the transaction before it, and begin another one after it:\nCOMMIT;\n{statement.shown};\nBEGIN;",
    )


def _refuse_end(statement: Statement, verb: str, sql: PlaceNames, *, chain: bool) -> ScriptError:
    """Return the error for a COMMIT without a BEGIN, or for an end of a transaction other than COMMIT."""
    if verb == "TRANS_STMT_ROLLBACK":
        message = "ROLLBACK would undo the preceding statements of the file"
        hint = "Delete it, or replace it by COMMIT;. ROLLBACK TO a savepoint is allowed."
    elif verb == "TRANS_STMT_PREPARE":
        message = "PREPARE TRANSACTION leaves the transaction to another session to end"
        hint = "Replace it by COMMIT;."
    elif chain:
        message = "COMMIT AND CHAIN begins a transaction without BEGIN"
        hint = "Write both:\nCOMMIT;\nBEGIN;"
    else:
        message = f"{statement.label.upper()} without a BEGIN before it"
        hint = "Delete it, or add BEGIN; at the top of the file."
    return sql.error(statement.offset - sql.shift, message, hint=hint)
