"""A difference of two schemas as a migration pair, and its verification on a scratch database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, Catalog, Change, Difference, compare
from tasks.rehearsal.model import Direction, RehearsedMigration
from tasks.rehearsal.replay.replay import state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff.answers import Renaming
from tasks.rehearsal.sql_diff.reasons import explain
from tasks.rehearsal.sql_diff.statements import WrittenSql, write_sql
from tasks.runner.errors import RunnerError

_HEADER = """\
-- Migration: {name}.sql
-- Description: {heading}
--
-- Generated from the difference of two schemas. Review it before you run it.
-- No BEGIN, COMMIT or INSERT INTO schema_migrations here: the tool opens the transaction and records the migration.
"""
_IRREVERSIBLE = "-- migrate: irreversible {reason}\n"


@dataclass(frozen=True, slots=True)
class Pair:
    """The texts of a migration pair, and what each leaves to be done by hand."""

    name: str
    up: str
    down: str
    written: WrittenSql
    undone: WrittenSql

    @property
    def left(self) -> tuple[Change, ...]:
        """Return the changes that the up cannot make, other than the order of columns."""
        return _leave_out_orders(self.written.by_hand)

    @property
    def irreversible(self) -> str:
        """Return why the down cannot be written, or an empty text."""
        return _explain_all(self.undone)


def write_pair(
    before: Catalog, after: Catalog, *, name: str, heading: str, renaming: Renaming | None = None, recreate: bool = False
) -> Pair:
    """Return the migration from one schema to another, up and down.

    The down reverts what the statements change, not what is left to be done by hand. If it cannot revert all of that, it is
    irreversible, and contains no statements. `recreate` permits to drop tables that no statement changes in place.
    """
    renaming = renaming or Renaming((), before)
    written = write_sql(renaming.renamed, after, recreate=recreate)
    undone = write_sql(_predict(renaming.renamed, after, written), renaming.renamed, recreate=recreate)
    forth, back = renaming.write(), renaming.write_back()
    written = replace(written, statements=(*forth, *written.statements), first=written.first and written.first + len(forth))
    undone = replace(undone, statements=(*undone.statements, *back))
    down = _write_irreversible(undone, name, heading) if _explain_all(undone) else _write_text(undone, name, f"Undo: {heading}")
    return Pair(name, _write_text(written, name, heading), down, written, undone)


def verify_pair(server: ScratchServer, base: Sequence[RehearsedMigration], pair: Pair, target: Catalog) -> tuple[Difference, ...]:
    """Run a pair up, down and up again on scratch in the state after `base`, and return the differences from what is expected.

    They are empty for a correct pair. An order of columns that is not changed does not count; an irreversible down does not run.
    Materialized views stay empty: their queries come from a database in which other roles may write, and the schema does not
    depend on their rows. Raises RunnerError if a statement fails, or if one was left out.
    """
    up, down = (_write_text(_leave_empty(written), pair.name, "") for written in (pair.written, pair.undone))
    migration = RehearsedMigration(pair.name, up, down, f"{pair.name} (up)", f"{pair.name} (down)")
    ways: tuple[Direction, ...] = ("up",) if pair.irreversible else ("up", "down", "up")
    orders = {change.key for change in (*pair.written.by_hand, *pair.undone.by_hand)}
    differences: list[Difference] = []
    with state_after(server, base) as database:
        start: Catalog | None = None
        for direction in ways:
            outcome = try_migration(database, migration, direction)
            if outcome.error is not None:
                raise outcome.error
            if outcome.unchecked:
                raise RunnerError("scratch left out statements:\n" + "\n".join(outcome.unchecked))
            start = outcome.before if start is None else start
            found = compare(outcome.after, target if direction == "up" else start)
            differences.append(Difference(tuple(change for change in found.changes if change.key not in orders)))
    return tuple(difference for difference in differences if difference)


def _write_text(written: WrittenSql, name: str, heading: str) -> str:
    """Return statements as the text of a file, with the order of columns that it leaves as it is in comments."""
    parts = [_HEADER.format(name=name, heading=heading)]
    if written.by_hand:
        parts.append("-- Not changed:\n" + "".join(_describe(change) for change in written.by_hand))
    return "\n".join([*parts, written.write()] if written.statements else parts)


def _write_irreversible(undone: WrittenSql, name: str, heading: str) -> str:
    """Return the text of a down file that cannot be written."""
    parts = [
        _HEADER.format(name=name, heading=f"Undo: {heading}"),
        _IRREVERSIBLE.format(reason=_explain_all(undone)),
        "-- What the migration changed and no statement changes back:\n"
        + "".join(_describe(change) for change in _leave_out_orders(undone.by_hand)),
    ]
    return "\n".join(parts)


def _explain_all(written: WrittenSql) -> str:
    """Return in one line why changes are left to be done by hand, or an empty text if there are none."""
    reasons = "; ".join(f"{change.key}: {explain(change)}" for change in _leave_out_orders(written.by_hand))
    if not reasons and not written.statements:
        return "the down file would contain no statement"
    return " ".join(reasons.split())


def _leave_out_orders(changes: Sequence[Change]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.key.kind != COLUMN_ORDER)


def _leave_empty(written: WrittenSql) -> WrittenSql:
    """Return the statements with materialized views that are not populated, so that their queries do not run."""
    statements = (
        f"{statement}\nWITH NO DATA" if statement.startswith("CREATE MATERIALIZED VIEW ") else statement
        for statement in written.statements
    )
    return replace(written, statements=tuple(statements))


def _predict(before: Catalog, after: Catalog, written: WrittenSql) -> Catalog:
    """Return the schema after the statements, without what is left to be done by hand."""
    left = {change.key for change in written.by_hand if change.key.kind != COLUMN_ORDER}
    objects = {key: definition for key, definition in after.objects.items() if key not in left}
    objects |= {key: definition for key, definition in before.objects.items() if key in left}
    return replace(after, objects=objects)


def _describe(change: Change) -> str:
    lines = [f"{change.word} {change.key}"]
    for word, definition in (("before", change.before), ("after", change.after)):
        if definition is not None:
            lines += [f"  {word}: {line}" for line in definition.splitlines() or [""]]
    return "".join(f"--   {line}".rstrip() + "\n" for line in lines)
