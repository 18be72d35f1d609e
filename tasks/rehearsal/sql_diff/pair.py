"""A difference of two schemas as a migration pair, and the proof on scratch that the pair makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference, compare
from tasks.rehearsal.model import Direction, Piece
from tasks.rehearsal.replay.replay import state_after, try_piece
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.statements import Written, write_sql

_HEADER = """\
-- Migration: {name}.sql
-- Description: {heading}
--
-- Written from the difference of two schemas. Read it before it runs.
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool opens the transaction and records the migration.
"""
_BY_HAND = "-- To do by hand, because it cannot be written exactly:\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """Hold the texts of a migration and of what undoes it, and what each leaves to a person."""

    name: str
    up: str
    down: str
    written: Written
    undone: Written


def write_pair(before: Catalog, after: Catalog, *, name: str, heading: str) -> Pair:
    """Write the migration that leads from one schema to another, and the one that leads back.

    The way back undoes what the statements do, not what is left to do by hand.
    """
    written = write_sql(before, after)
    undone = write_sql(_foresee(before, after, written), before)
    return Pair(name, write_text(written, name, heading), write_text(undone, name, f"Undo: {heading}"), written, undone)


def write_text(written: Written, name: str, heading: str) -> str:
    """Write statements as a file, with what is left to do by hand in comments."""
    parts = [_HEADER.format(name=name, heading=heading)]
    if written.by_hand:
        parts.append(_BY_HAND + "".join(_describe(change) for change in written.by_hand))
    parts += [f"{statement};\n" for statement in written.statements]
    return "\n".join(parts)


def prove(server: ScratchServer, base: Sequence[Piece], pair: Pair, target: Catalog) -> tuple[Difference, ...]:
    """Run a pair up and down on scratch, in the state after `base`, and give what remains between what came and what should.

    Empty for a pair that is proved. What is left to do by hand on the way up is not counted. Raises the RunnerError of a text
    that fails.
    """
    piece = Piece(pair.name, pair.up, pair.down, f"{pair.name} (up)", f"{pair.name} (down)")
    remains: list[Difference] = []
    with state_after(server, base) as database:
        start: Catalog | None = None
        ways: tuple[tuple[Direction, Written], ...] = (("up", pair.written), ("down", pair.undone))
        for direction, written in ways:
            if not written.statements:
                continue
            outcome = try_piece(database, piece, direction)
            if outcome.error is not None:
                raise outcome.error
            start = outcome.before if start is None else start
            wanted = target if direction == "up" else start
            left = pair.written.by_hand if direction == "up" else ()
            remains.append(_leave_out(compare(outcome.after, wanted), (*left, *written.by_hand)))
    return tuple(difference for difference in remains if difference)


def _foresee(before: Catalog, after: Catalog, written: Written) -> Catalog:
    """Give the schema that the statements alone lead to."""
    left = {change.key for change in written.by_hand if change.key.kind != COLUMN_ORDER}
    objects = {key: definition for key, definition in after.objects.items() if key not in left}
    objects |= {key: definition for key, definition in before.objects.items() if key in left}
    return Catalog(objects, after.server_version)


def _leave_out(difference: Difference, by_hand: Sequence[Change]) -> Difference:
    keys = {change.key for change in by_hand}
    return Difference(tuple(change for change in difference.changes if change.key not in keys))


def _describe(change: Change) -> str:
    lines = [f"{change.word} {change.key}"]
    for word, definition in (("before", change.before), ("after", change.after)):
        if definition is not None:
            lines += [f"  {word}: {line}" for line in definition.splitlines() or [""]]
    return "".join(f"--   {line}".rstrip() + "\n" for line in lines)
