"""Words for the values of a forecast: sizes, ranges of time, verdicts, and what is kept out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from tasks.console.cells import clean
from tasks.forecast.events import StatementForecast
from tasks.forecast.grouping import RelationGroup, group_relations

_TEN, _KILO = 10, 1000
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_TIMES = ((1, "s"), (60, "min"), (3600, "h"), (86400, "days"))
_LARGEST_IN_UNIT = 90
"""A time is written in the next unit from this number on: 80 s, but 2 min."""
_SHORTEST_S = 0.1
_FEW = 2
"""A time of fewer units has a decimal."""
_EXACT = 100
"""Numbers of rows from here on are rounded, because the statistics are estimates."""
_WRITES = ("insert", "update", "delete")


def format_bytes(size: int) -> str:
    """Return a size in bytes with two or three digits that count: 3.2 GB."""
    number, unit = float(size), 0
    while round(number) >= _KILO and unit < len(_UNITS) - 1:
        number, unit = number / _KILO, unit + 1
    if not unit:
        return f"{size} {_UNITS[0]}" if size != 1 else "1 byte"
    digits = 1 if number < _TEN else 0
    return f"{number:.{digits}f}".removesuffix(".0") + f" {_UNITS[unit]}"


def format_rows(rows: int) -> str:
    """Return a number of rows; a large one is rounded to two digits that count."""
    if rows < _EXACT:
        return "1 row" if rows == 1 else f"{rows} rows"
    return f"about {_round(rows):,.0f} rows"


def format_range(seconds: tuple[float, float]) -> str:
    """Return a range of seconds in the units that fit, rounded to what is known: about 4 to 12 s, about 20 s to 6 min."""
    low, high = seconds
    if high < _SHORTEST_S:
        return f"less than {_SHORTEST_S} s"
    size, last_unit = _choose_unit(high)
    first_size, first_unit = (size, last_unit) if low >= size else _choose_unit(low)
    first, last = _write(low / first_size), _write(high / size)
    if low < _SHORTEST_S:
        return f"at most about {last} {last_unit}"
    if first_unit != last_unit:
        return f"about {first} {first_unit} to {last} {last_unit}"
    return f"about {last} {last_unit}" if first == last else f"about {first} to {last} {last_unit}"


def describe_verdict(event: StatementForecast) -> str:
    """Return the verdict of a statement in words, with the time or the number of rows."""
    if event.verdict == "loses_rows":
        return "loses rows" if event.rows_lost is None else f"loses {format_rows(event.rows_lost)}"
    if event.verdict in {"blocks_all", "blocks_writes"}:
        what = "everything" if event.verdict == "blocks_all" else "writes"
        blocked = event.blocked_seconds
        return f"blocks {what}, for how long is not known" if blocked is None else f"blocks {what} for {format_range(blocked)}"
    return clean(event.verdict)


def describe_kept_out(operations: Iterable[str]) -> str:
    """Return what has to wait, in words: reads and writes, writes, updates and deletes, schema changes."""
    kept = set(operations)
    parts = ["reads"] if "select" in kept else []
    parts += ["writes"] if kept.issuperset(_WRITES) else [f"{each}s" for each in _WRITES if each in kept]
    if "ddl" in kept and not parts:
        parts = ["schema changes"]
    return _join(parts)


def name_group(group: RelationGroup) -> str:
    """Return the name of a group of relations: the first, and how many more there are."""
    first, *others = group.relations
    if not others:
        return clean(first)
    return f"{clean(first)} and {len(others):,} more {'partitions' if group.table else 'with such names'}"


def name_relations(relations: Sequence[str], parents: Mapping[str, str]) -> str:
    """Return the names of relations, separated by commas."""
    return ", ".join(map(name_group, group_relations(relations, parents)))


def find_worst_operation(operations: Iterable[str]) -> str:
    """Return the letter of the timeline for what is kept out: R for reads, W for writes, D for schema changes, "" for nothing."""
    kept = set(operations)
    if "select" in kept:
        return "R"
    return "W" if kept.intersection(_WRITES) else "D" if kept else ""


def _round(number: float) -> float:
    """Return a number with two digits that count."""
    if number <= 0:
        return 0
    step: float = 10.0 ** max(math.floor(math.log10(number)) - 1, -1)
    return round(number / step) * step


def _choose_unit(seconds: float) -> tuple[int, str]:
    return next((each for each in _TIMES if _round(seconds / each[0]) < _LARGEST_IN_UNIT), _TIMES[-1])


def _write(number: float) -> str:
    rounded = _round(number)
    return f"{rounded:,.{1 if rounded < _FEW else 0}f}".removesuffix(".0")


def _join(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
