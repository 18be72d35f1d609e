"""The order in which generated statements run: new objects first, what the running code may need last, the rest by table.

Which order is possible is tried on scratch, because only PostgreSQL knows all that a statement needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tasks.generation.dividing.units import Unit, write_units
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer


@dataclass(frozen=True, slots=True)
class UnitBlock:
    """Statements that stay together: one; a constraint's drop and what replaces it; drops and what creates the same again."""

    units: tuple[Unit, ...]
    together: bool = False
    """Whether they need one transaction, so that none of them is replaced by several files."""

    @property
    def rewritten(self) -> bool:
        """Return True if the last statement is to be replaced by a safe form."""
        return not self.together and self.units[-1].rewritten


@dataclass(frozen=True, slots=True)
class Schedule:
    """The blocks that run before the deployment, and those that run after it."""

    before: tuple[UnitBlock, ...]
    after: tuple[UnitBlock, ...]


class NoOrderError(Exception):
    """The statements run in no order that was tried."""


def keep_order(units: Sequence[Unit]) -> Schedule:
    """Return the schedule in which the statements have their order, and what follows one for after the deployment is too."""
    first = next((place for place, unit in enumerate(units) if unit.after_deploy), len(units))
    recreated = list_recreated(units)
    blocks: list[UnitBlock] = []
    place = 0
    while place < len(units):
        end = _find_end(units, place, recreated)
        blocks.append(UnitBlock(tuple(units[place:end]), together=end - place > 1))
        place = end
    split = next(
        (number for number, block in enumerate(blocks) if any(unit in units[first:] for unit in block.units)), len(blocks)
    )
    return Schedule(tuple(blocks[:split]), tuple(blocks[split:]))


def _join_recreated(units: Sequence[Unit], recreated: frozenset[str]) -> list[UnitBlock]:
    """Return blocks of one statement or a pair, and one from the first drop to the last creation of what is created again."""
    start = next((place for place, unit in enumerate(units) if unit.removed & recreated), len(units))
    end = max((place for place, unit in enumerate(units, 1) if unit.created in recreated), default=0)
    if start >= end:
        return _pair(units)
    return [*_pair(units[:start]), UnitBlock(tuple(units[start:end]), together=True), *_pair(units[end:])]


def _find_end(units: Sequence[Unit], start: int, recreated: frozenset[str]) -> int:
    """Return the place after the last statement that creates what the statements from a place on drop."""
    end, place = start + 1, start
    while place < end:
        dropped = units[place].removed & recreated
        end = max([end, *(number + 1 for number, unit in enumerate(units) if unit.created in dropped)])
        place += 1
    return end


def schedule(
    server: ScratchServer, base: Sequence[RehearsedMigration], units: Sequence[Unit], *, timeout_s: float | None
) -> Schedule:
    """Return the best order that runs on scratch; raises NoOrderError if none is found."""
    with state_after(server, base, timeout_s=timeout_s) as database, Rehearsal(database, timeout_s=timeout_s) as rehearsal:
        return _Scheduler(rehearsal, units).plan()


class _Scheduler:
    def __init__(self, rehearsal: Rehearsal, units: Sequence[Unit]) -> None:
        self._rehearsal, self._units = rehearsal, units
        self._tables = list(dict.fromkeys(name for unit in units for name in unit.existing))
        # The first column that waits for its safe form keeps back those after it: a table gets its columns in their order.
        rewritten = [(unit.adds_column_to, unit.number) for unit in units if unit.rewritten and unit.adds_column_to]
        self._waiting_columns = dict(reversed(rewritten))

    def plan(self) -> Schedule:
        """Run the statements, and return them in the order in which that is possible."""
        renamed = _list_renamed(self._units)
        recreated = list_recreated(self._units)
        # A column that is exchanged takes its default along, and until then the code that is running needs it.
        exchanged = {unit.type_of for unit in self._units} - {()}
        last = [
            unit
            for unit in self._units
            if unit.after_deploy
            or _needs(unit, renamed)
            or (unit.default_of in exchanged and not unit.drops_default)
            or (unit.concerns_type and bool(exchanged))
        ]
        # What is created again late is dropped late: a policy that is missing in between shows rows to others.
        late = recreated & {unit.created for unit in last}
        last += [unit for unit in self._units if unit not in last and unit.removed & late]
        rest = [unit for unit in self._units if unit not in last]
        bundle = [unit for unit in rest if unit.removed & recreated or unit.names(recreated)]
        waiting = sorted(_pair([unit for unit in rest if unit not in bundle]), key=self._rank)
        done, waiting = self._run_exchanges(waiting)
        if bundle:
            done, waiting, last = self._run_bundle(bundle, done, waiting, last)
        last = sorted([*last, *(unit for block in waiting for unit in block.units)], key=lambda unit: unit.number)
        after, left = self._run_all(_join_recreated(last, recreated))
        if left:
            raise NoOrderError(left[0].units[0].statement.text)
        return Schedule(tuple(done), tuple(after))

    def _run_exchanges(self, blocks: Sequence[UnitBlock]) -> tuple[list[UnitBlock], list[UnitBlock]]:
        """Run blocks as `_run_all` does, those that change a type last.

        What runs only after them waits: their safe form changes the type when the old code is gone.
        """
        done, waiting = self._run_all([block for block in blocks if not _exchanges(block)])
        exchanged, left = self._run_all([block for block in blocks if _exchanges(block)])
        if left:
            more, waiting = self._run_all([*waiting, *left])
            exchanged += more
        return [*done, *exchanged], waiting

    def _run_bundle(
        self, bundle: list[Unit], done: list[UnitBlock], waiting: list[UnitBlock], last: list[Unit]
    ) -> tuple[list[UnitBlock], list[UnitBlock], list[Unit]]:
        """Run the statements of the objects that are dropped and created again, with those that wait for them."""
        units = sorted([*bundle, *(unit for block in waiting for unit in block.units)], key=lambda unit: unit.number)
        block = UnitBlock(tuple(units), together=True)
        if self._run(block):
            return [*done, block], [], last
        return done, [], [*last, *units]

    def _run_all(self, blocks: Sequence[UnitBlock]) -> tuple[list[UnitBlock], list[UnitBlock]]:
        """Run blocks, also those that need a later one; return those that ran, in their order, and those that did not."""
        done: list[UnitBlock] = []
        waiting = list(blocks)
        while waiting:
            ran = [block for block in waiting if self._run(block)]
            if not ran:
                break
            done += ran
            waiting = [block for block in waiting if block not in ran]
        return done, waiting

    def _run(self, block: UnitBlock) -> bool:
        name = f"part_{block.units[0].number}"
        return self._rehearsal.run(RehearsedMigration(name, write_units(block.units)), "up").error is None

    def _rank(self, block: UnitBlock) -> tuple[int, int, int]:
        unit = block.units[-1]
        table = self._tables.index(unit.existing[0]) if unit.existing else 0
        if block.rewritten or self._waiting_columns.get(unit.adds_column_to, unit.number) < unit.number:
            return 4 if unit.changes_type else 3, unit.number, 0
        if unit.adds_label:
            return 0, unit.number, 0
        # A comment or a grant names what others make.
        return (2, table, unit.number) if unit.existing else (1 if unit.created else 2, len(self._tables), unit.number)


def _pair(units: Sequence[Unit]) -> list[UnitBlock]:
    """Return blocks of one statement each, or of the drop of a constraint and the statement that adds another of its name."""
    blocks: list[UnitBlock] = []
    dropping: dict[tuple[str, tuple[str, ...]], Unit] = {}
    for unit in units:
        if unit.replaceable:
            dropping[next(iter(unit.removed)), unit.existing] = unit
    used: set[int] = set()
    for unit in units:
        drop = dropping.get((unit.created, unit.existing)) if unit.created and unit.rewritten else None
        if drop is not None and drop.number < unit.number:
            used.add(drop.number)
            blocks.append(UnitBlock((drop, unit)))
        else:
            blocks.append(UnitBlock((unit,)))
    return [block for block in blocks if len(block.units) > 1 or block.units[0].number not in used]


def _exchanges(block: UnitBlock) -> bool:
    return block.rewritten and bool(block.units[-1].type_of)


def list_recreated(units: Iterable[Unit]) -> frozenset[str]:
    """Return the names of what is dropped and created again, without a safe form of its own."""
    return frozenset(_find_recreated([unit for unit in units if not unit.rewritten and not unit.after_deploy]))


def _find_recreated(units: Sequence[Unit]) -> Iterator[str]:
    created = {unit.created: unit.number for unit in units if unit.created}
    for unit in units:
        yield from (name for name in unit.removed if created.get(name, 0) > unit.number)


def _list_renamed(units: Iterable[Unit]) -> list[frozenset[str]]:
    """Return the names that a statement mentions if it needs a rename: the new one, for a column with that of its table."""
    renames = [unit for unit in units if unit.after_deploy and unit.statement.kind == "RenameStmt"]
    columns = (unit.statement.node if unit.statement.node.get("renameType") == "OBJECT_COLUMN" else {} for unit in renames)
    tables = (frozenset(filter(None, [node.get("relation", {}).get("relname", "")])) for node in columns)
    return [unit.removed | table for unit, table in zip(renames, tables, strict=True)]


def _needs(unit: Unit, renamed: Iterable[frozenset[str]]) -> bool:
    return any(all(unit.names(frozenset({name})) for name in names) for names in renamed)
