"""What was seen of the statements of a file → the values of a forecast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.effects import Lock, StatementEffects
from tasks.forecast.observing.keeps_out import find_kept_out
from tasks.forecast.observing.relations import ScratchSchema
from tasks.postgres.lock_modes import ACCESS_EXCLUSIVE, find_strongest
from tasks.runner.events.numbers import RelationLock
from tasks.runner.parsing import Script, Statement

_CUMULATIVE = "whether it locks again what the statements before it in the transaction have locked"
_LOCKS_NOTHING = frozenset({"TransactionStmt", "VariableSetStmt", "ConstraintsSetStmt"})


@dataclass(frozen=True, slots=True)
class ObservedRun:
    """A run of a file on one scratch database: the relations before it, and the effects by the offsets of the statements."""

    schema: ScratchSchema
    effects: Mapping[int, StatementEffects]


def build_statements(
    version: str,
    script: Script,
    together: ObservedRun,
    apart: ObservedRun | None,
    left_out: Mapping[int, str],
    notes: tuple[str, ...],
) -> Iterator[ObservedStatement]:
    """Yield what each statement of a file did.

    `together` is the run in the transactions of the file, `apart` that in which each statement has its own; None if that was
    not possible. `left_out` are the reasons for statements that were not run, by their offsets.
    """
    script = _divide(script, together.effects)
    number = 0
    for segment in script.segments:
        for position, statement in enumerate(segment.statements):
            number += 1
            seen = together.effects.get(statement.offset)
            if seen is None:
                reasons = (left_out.get(statement.offset, "what it does: it was not run on scratch"), *notes)
                yield _begin(version, number, statement, segment.transactional, reasons)
                continue
            run = apart if apart and statement.offset in apart.effects else together
            effects = run.effects[statement.offset]
            following = [together.effects.get(each.offset) for each in segment.statements[position + 1 :]]
            lines = [each.line for each in segment.statements[position + 1 :]]
            held_to = _find_end(seen, statement.line, following, lines)
            seen_apart = effects.held == effects.locks or statement.kind in _LOCKS_NOTHING
            reasons = notes if seen_apart else (_CUMULATIVE, *notes)
            yield _describe(version, number, statement, run.schema, effects, held_to, reasons)


def _divide(script: Script, effects: Mapping[int, StatementEffects]) -> Script:
    """Return the script divided where the server refused a statement in a transaction."""
    for number, statement in enumerate(script.statements, 1):
        seen = effects.get(statement.offset)
        if seen is not None and not seen.transactional and statement.transactional:
            script = script.separate(number)
    return script


def _begin(version: str, number: int, statement: Statement, transactional: bool, not_known: Iterable[str]) -> ObservedStatement:
    return ObservedStatement(
        version,
        number,
        statement.line,
        statement.shown,
        statement.kind,
        transactional,
        source="observed" if transactional else "known",
        not_known=tuple(not_known),
    )


def _find_end(seen: StatementEffects, line: int, following: Sequence[StatementEffects | None], lines: Sequence[int]) -> int:
    """Return the line of the statement at whose end the locks are released: the last one, or a ROLLBACK TO before it."""
    for other, at in zip(following, lines, strict=True):
        if other is not None and seen.locks and seen.locks.isdisjoint(other.held):
            return at
    return lines[-1] if lines else line


def _describe(
    version: str,
    number: int,
    statement: Statement,
    schema: ScratchSchema,
    effects: StatementEffects,
    held_to: int,
    not_known: tuple[str, ...],
) -> ObservedStatement:
    names = {oid: relation.name for oid, relation in schema.relations.items()}
    keeps_out = find_kept_out(schema, effects, statement.text.lower(), statement.kind)
    rewrites = tuple(sorted(names[oid] for oid in effects.rewritten))
    scanned = {names[oid] for oid in effects.scanned if oid in names}
    return ObservedStatement(
        version,
        number,
        statement.line,
        statement.shown,
        statement.kind,
        effects.transactional,
        list_locks(names, effects.locks),
        held_to if effects.locks or keeps_out else None,
        rewrites,
        tuple(sorted(scanned - set(rewrites))),
        keeps_out,
        drops=tuple(sorted(names[oid] for oid in effects.gone)),
        empties=tuple(sorted(_list_emptied(statement, schema, effects))),
        deletes=dict(_list_shares(schema, effects)),
        needs_old_transactions_to_end=effects.known.waits_for_snapshots,
        source="observed" if effects.transactional else "known",
        not_known=(*effects.known.not_known, *not_known),
        briefly=list_locks(names, effects.known.briefly),
        dropped_columns={
            names[oid]: tuple(schema.columns[oid][column] for column in sorted(columns))
            for oid, columns in effects.dropped_columns.items()
        },
    )


def list_locks(names: Mapping[int, str], locks: Iterable[Lock]) -> tuple[RelationLock, ...]:
    """Return each relation with the strongest of its modes, in the order of their names."""
    modes: dict[str, list[str]] = {}
    for oid, mode in locks:
        modes.setdefault(names[oid], []).append(mode)
    return tuple(RelationLock(name, find_strongest(modes[name])) for name in sorted(modes))


def _list_emptied(statement: Statement, schema: ScratchSchema, effects: StatementEffects) -> Iterator[str]:
    """Yield the tables that a TRUNCATE empties, in a block or a function too."""
    if "truncate" not in statement.text.lower():
        return
    for oid in {oid for oid, mode in effects.locks if mode == ACCESS_EXCLUSIVE}:
        relation = schema.relations[oid]
        if relation.kind == "r" and (statement.kind == "TruncateStmt" or oid in effects.rewritten):
            yield relation.name


def _list_shares(schema: ScratchSchema, effects: StatementEffects) -> Iterator[tuple[str, float]]:
    """Yield the share of its rows that a statement deletes from a table, where the number of its rows is known."""
    for oid, counts in effects.counts.items():
        relation = schema.relations[oid]
        if counts.deleted > 0 and relation.rows > 0:
            yield relation.name, min(1.0, counts.deleted / relation.rows)
