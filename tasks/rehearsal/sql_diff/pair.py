"""A difference of two schemas as a migration pair, and its verification on a scratch database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference, compare
from tasks.rehearsal.model import Direction, RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.statements import WrittenSql, write_sql
from tasks.runner.errors import RunnerError
from tasks.runner.parsing.directives import UNWRITTEN

_HEADER = """\
-- Migration: {name}.sql
-- Description: {heading}
--
-- Generated from the difference of two schemas. Review it before you run it.
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool opens the transaction and records the migration.
"""
_BY_HAND = "-- To do by hand, because the SQL cannot be generated exactly:\n"
_ALL_BY_HAND = f"-- {UNWRITTEN}: while this line is here, the tool refuses to run this file.\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """The texts of a migration pair, and what each leaves to be done by hand."""

    name: str
    up: str
    down: str
    written: WrittenSql
    undone: WrittenSql


def write_pair(before: Catalog, after: Catalog, *, name: str, heading: str) -> Pair:
    """Return the migration from one schema to another, up and down.

    The down reverts what the statements change, not what is left to be done by hand.
    """
    written = write_sql(before, after)
    undone = write_sql(_predict(before, after, written), before)
    return Pair(name, write_text(written, name, heading), write_text(undone, name, f"Undo: {heading}"), written, undone)


def write_text(written: WrittenSql, name: str, heading: str) -> str:
    """Return statements as the text of a file, with what is left to be done by hand in comments.

    Without statements, the text is refused as long as it is not completed: it would be recorded as run, and do nothing.
    """
    parts = [_HEADER.format(name=name, heading=heading)]
    if written.by_hand:
        refusal = "" if written.statements else _ALL_BY_HAND
        parts.append(refusal + _BY_HAND + "".join(_describe(change) for change in written.by_hand))
    parts += [f"{statement};\n" for statement in written.statements]
    return "\n".join(parts)


def verify_pair(server: ScratchServer, base: Sequence[RehearsedMigration], pair: Pair, target: Catalog) -> tuple[Difference, ...]:
    """Run a pair up and down on scratch in the state after `base`, and return the differences from the expected schemas.

    They are empty for a correct pair. What is left to be done by hand is not counted. Materialized views stay empty: their
    queries come from a database in which other roles may write, and the schema does not depend on their rows.
    Raises RunnerError if a text fails, or if a statement of it was left out.
    """
    up, down = (write_text(_leave_empty(written), pair.name, "") for written in (pair.written, pair.undone))
    migration = RehearsedMigration(pair.name, up, down, f"{pair.name} (up)", f"{pair.name} (down)")
    differences: list[Difference] = []
    with state_after(server, base) as database:
        start: Catalog | None = None
        ways: tuple[tuple[Direction, WrittenSql], ...] = (("up", pair.written), ("down", pair.undone))
        for direction, written in ways:
            if not written.statements:
                continue
            outcome = try_migration(database, migration, direction)
            if outcome.error is not None:
                raise outcome.error
            if outcome.unchecked:
                raise RunnerError("scratch left out statements:\n" + "\n".join(outcome.unchecked))
            start = outcome.before if start is None else start
            expected = target if direction == "up" else start
            left = pair.written.by_hand if direction == "up" else ()
            differences.append(_leave_out(compare(outcome.after, expected), (*left, *written.by_hand)))
    return tuple(difference for difference in differences if difference)


def _leave_empty(written: WrittenSql) -> WrittenSql:
    """Return the statements with materialized views that are not populated, so that their queries do not run."""
    statements = (
        f"{statement}\nWITH NO DATA" if statement.startswith("CREATE MATERIALIZED VIEW ") else statement
        for statement in written.statements
    )
    return WrittenSql(tuple(statements), written.by_hand)


def _predict(before: Catalog, after: Catalog, written: WrittenSql) -> Catalog:
    """Return the schema after the statements, without what is left to be done by hand."""
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
