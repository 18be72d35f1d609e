"""How many rows, or values of a column, a statement removes from a live database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.forecast.live_relations import LiveRelations
from tasks.forecast.model import ObservedStatement
from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.runner.events.numbers import RelationNumbers
from tasks.runner.planning.losses import Loss, read_statement_losses


@dataclass(frozen=True, slots=True)
class RowsLost:
    """The rows that a statement removes; `number` is None if it removes some, but not known how many, for the `reasons`."""

    number: int | None = 0
    reasons: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Return True if rows are lost, or if that is not known."""
        return self.number != 0


def count_lost(statement: ObservedStatement, live: LiveRelations) -> RowsLost:
    """Return how many rows a statement removes: of dropped and emptied tables, dropped columns, and deleted rows."""
    numbers: list[int | None] = []
    reasons: list[str] = []
    for number, reason in (*_list_tables(statement, live), *_list_columns(statement, live), *_list_deletes(statement, live)):
        numbers.append(number)
        reasons += [reason] if number is None else []
    known = [number for number in numbers if number is not None]
    return RowsLost(sum(known) if len(known) == len(numbers) else None, tuple(dict.fromkeys(reasons)))


_Part = tuple[int | None, str]


def _list_tables(statement: ObservedStatement, live: LiveRelations) -> Iterator[_Part]:
    lost = (*statement.drops, *statement.empties)
    if lost and not live.known:
        yield None, f"how many rows {', '.join(lost)} has is not known"
    for each in live.list_leaves(lost):
        if each.kind == "r":
            yield _count_rows(each)


def _list_columns(statement: ObservedStatement, live: LiveRelations) -> Iterator[_Part]:
    for relation, column in dict.fromkeys((*_list_observed_columns(statement), *_list_named_columns(statement))):
        if not live.known:
            yield None, f"how many values {relation}.{column} has is not known"
        for each in live.list_leaves([relation]):
            yield _count_values(each, column)


def _list_observed_columns(statement: ObservedStatement) -> Iterator[tuple[str, str]]:
    for relation, columns in statement.dropped_columns.items():
        yield from ((relation, column) for column in columns)


def _list_named_columns(statement: ObservedStatement) -> Iterator[tuple[str, str]]:
    """Yield the columns that a statement names, if what it drops was not observed."""
    if statement.dropped_columns:
        return
    for loss in read_statement_losses(statement.version, statement.statement, statement.node, statement.line):
        relation = _find_relation(statement, loss) if loss.column else ""
        if relation:
            yield relation, loss.column


def _list_deletes(statement: ObservedStatement, live: LiveRelations) -> Iterator[_Part]:
    if statement.node == "DeleteStmt" and not statement.deletes:
        yield from _list_unseen_deletes(statement, live)
    for relation, share in statement.deletes.items():
        if share > 0 and not live.known:
            yield None, f"how many rows {relation} has is not known"
        for each in live.list_leaves([relation] if share > 0 else []):
            number, reason = _count_rows(each)
            yield None if number is None else math.ceil(number * min(share, 1.0)), reason


def _list_unseen_deletes(statement: ObservedStatement, live: LiveRelations) -> Iterator[_Part]:
    """Yield what a DELETE removes that removes nothing on scratch: all rows, or with a condition an unknown number."""
    entire = any(read_statement_losses(statement.version, statement.statement, statement.node, statement.line))
    written = [each.relation for each in statement.locks if each.mode == "RowExclusiveLock"]
    if not live.known:
        yield None, "how many rows it deletes is not known"
    for each in live.list_leaves(written):
        if each.kind == "r":
            number, reason = _count_rows(each)
            unknown = f"how many rows of {each.relation} it deletes is not known"
            yield (number if entire or number == 0 else None), reason or unknown


def _find_relation(statement: ObservedStatement, loss: Loss) -> str:
    """Return the qualified name of a table that a statement names: one of those that it locks."""
    name = quote_identifier(loss.table)
    if loss.schema:
        return quote_qualified(loss.schema, loss.table)
    return next((each.relation for each in statement.locks if each.relation.endswith(f".{name}")), "")


def _count_rows(relation: RelationNumbers) -> _Part:
    if relation.rows >= 0:
        return relation.rows, ""
    if not relation.heap_bytes:
        return 0, ""
    return None, f"how many rows {relation.relation} has is not known: it was never analysed"


def _count_values(relation: RelationNumbers, column: str) -> _Part:
    """Return how many values of a column are not null; a column that does not exist there yet has none."""
    rows, reason = _count_rows(relation)
    if not rows and rows is not None:
        return 0, ""
    for each in relation.columns:
        if each.name == column:
            return (None if rows is None and each.null_frac < 1 else round((rows or 0) * (1 - each.null_frac))), reason
    if column in relation.without_statistics:
        return None, f"how many values {relation.relation}.{column} has is not known: it has no statistics"
    return 0, ""
