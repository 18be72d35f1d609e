"""What the rows of a table on scratch have to satisfy: its constraints, and those that the pending files add."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tasks.rehearsal.rows.shapes import Check, Reference, Shapes, TableToFill

_CHECK = re.compile(r"CHECK \((?P<condition>.*)\)(?: NO INHERIT)?(?: NOT VALID| NOT ENFORCED)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """A check constraint: the numbers of its columns, and its condition as SQL."""

    columns: tuple[int, ...]
    text: str


def merge_constraints(before: Shapes, after: Shapes) -> Shapes:
    """Return the tables of a schema with the constraints that a later schema has on the same columns, by names.

    A column that is NOT NULL only later keeps its NULLs: a statement of the files may replace them first.
    """
    later = {table.name: table for table in after.tables.values()}
    names = {table.name: oid for oid, table in before.tables.items()}
    targets = {oid: names[table.name] for oid, table in after.tables.items() if table.name in names}
    tables = {
        oid: _merge(table, later[table.name], targets, before) if table.name in later else table
        for oid, table in before.tables.items()
    }
    return Shapes(tables, before.types)


def list_conditions(table: TableToFill) -> list[Condition]:
    """Return the check constraints of a table as conditions; the bounds of its partitions are none."""
    matches = ((check, _CHECK.fullmatch(check.text)) for check in table.checks if check.name)
    return [Condition(check.columns, match["condition"]) for check, match in matches if match]


def collect_needed(shapes: Shapes, wanted: set[int]) -> set[int]:
    """Return the tables with all those that their foreign keys refer to, directly or not."""
    needed, waiting = set[int](), list(wanted)
    while waiting:
        oid = waiting.pop()
        if oid in needed or oid not in shapes.tables:
            continue
        needed.add(oid)
        waiting += [reference.target for reference in shapes.tables[oid].references]
    return needed


def _merge(table: TableToFill, later: TableToFill, targets: Mapping[int, int], before: Shapes) -> TableToFill:
    own = {column.name: number for number, column in table.columns.items()}
    numbers = {number: own[column.name] for number, column in later.columns.items() if column.name in own}
    uniques = (frozenset(numbers[each] for each in key) for key in later.uniques if key <= numbers.keys())
    checks = (
        Check(check.name, tuple(numbers[each] for each in check.columns), check.text)
        for check in later.checks
        if all(each in numbers for each in check.columns) and "IS NOT NULL" not in check.text
    )
    return replace(
        table,
        uniques=tuple(dict.fromkeys((*table.uniques, *uniques))),
        checks=tuple({check.text: check for check in (*checks, *table.checks)}.values()),
        references=tuple(dict.fromkeys((*table.references, *_carry_references(later, numbers, targets, before)))),
    )


def _carry_references(
    later: TableToFill, numbers: Mapping[int, int], targets: Mapping[int, int], before: Shapes
) -> Iterator[Reference]:
    for reference in later.references:
        target = targets.get(reference.target)
        columns = before.tables[target].columns if target is not None else {}
        if target is not None and all(own in numbers and other in columns for own, other in reference.columns):
            yield Reference(target, tuple((numbers[own], other) for own, other in reference.columns), reference.deferrable)
