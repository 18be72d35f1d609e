"""The timeline of locks as text: a row for each table, a column for each statement, in blocks that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from tasks.console.cells import cut, pad, width
from tasks.console.lines import INDENT, Line, format_place
from tasks.forecast.timeline import LockTimeline, list_cells, make_timeline
from tasks.report.forecast.collecting import CompleteForecast
from tasks.report.forecast.words import find_worst_operation, name_group

LEGEND = "R reads and writes wait · W writes wait · D schema changes wait · . nothing waits"
_MOST_LANES = 20
_MOST_NAME = 40
_FEWEST_COLUMNS = 20
_MOST_FILES = 20


def draw_timeline(event: CompleteForecast, cells: int) -> Iterator[Line]:
    """Yield the lines of the timeline; nothing if no statement keeps anything out."""
    timeline = make_timeline(event.statements, event.parents)
    if not timeline.lanes:
        return
    yield Line("")
    yield Line("What is locked when, one column per statement:", "head")
    lanes = timeline.lanes[:_MOST_LANES]
    room = max(min(_MOST_NAME, cells - len(INDENT) - _FEWEST_COLUMNS), 1)
    names = [cut(name_group(lane.group), room) for lane in lanes]
    left = max(map(width, names))
    rows = [[find_worst_operation(kept) or "." for kept in list_cells(lane, len(timeline.columns))] for lane in lanes]
    blocks = list(_split(timeline, max(cells - len(INDENT) - left - 1, _FEWEST_COLUMNS)))
    shown = blocks[:_MOST_FILES]
    for block in shown:
        yield Line(f"{INDENT}{' ' * left} {_join(_number_files(block), block)}", "dim")
        for name, row in zip(names, rows, strict=True):
            marks = "".join(_join([row[index] for _, index in block], block))
            if set(marks) - {"|", "."} or len(blocks) == 1:
                yield Line(f"{INDENT}{pad(name, left)} {marks}")
    yield from _explain(timeline, shown, len(timeline.lanes) - len(lanes), len(blocks) - len(shown))


Block = Sequence[tuple[int, int]]
"""The columns of a block, each as the number of its file, from 1, and its place in the timeline."""


def _split(timeline: LockTimeline, room: int) -> Iterator[Block]:
    """Yield the columns in blocks that fit; a file is divided only if it does not fit into one."""
    block: list[tuple[int, int]] = []
    used = index = 0
    for number, (_version, group) in enumerate(groupby(timeline.columns, key=lambda each: each.version), start=1):
        size = len(list(group))
        if used and used + size + 1 > room:
            yield block
            block, used = [], 0
        for column in range(index, index + size):
            if used + 1 >= room:
                yield block
                block, used = [], 0
            block.append((number, column))
            used += 1
        used, index = used + 1, index + size
    yield block


def _join(texts: Sequence[str], block: Block) -> str:
    """Return one text for each column with a bar between two files."""
    parts: list[str] = []
    for position, (text, (number, _)) in enumerate(zip(texts, block, strict=True)):
        parts += ["|"] if position and number != block[position - 1][0] else []
        parts.append(text)
    return "".join(parts)


def _number_files(block: Block) -> list[str]:
    """Return a text for each column which together are the numbers of the files, each above its first column, if it fits."""
    texts: list[str] = []
    for number, columns in groupby(block, key=lambda each: each[0]):
        size = len(list(columns))
        texts += list(str(number).ljust(size)) if len(str(number)) <= size else [" "] * size
    return texts


def _explain(timeline: LockTimeline, shown: Sequence[Block], more_lanes: int, more_blocks: int) -> Iterator[Line]:
    if more_lanes:
        yield Line(f"{INDENT}and {more_lanes} more tables", "dim")
    yield Line(f"{INDENT}{LEGEND}", "dim")
    seen = {number for block in shown for number, _ in block}
    files = [list(group) for _, group in groupby(timeline.columns, key=lambda each: each.version)]
    for number, file in enumerate(files, start=1):
        if number in seen and number <= _MOST_FILES:
            lines = ", ".join(dict.fromkeys(str(each.line) for each in file))
            yield Line(f"{INDENT}{number} {format_place(file[0].version, 0)}: lines {lines}", "dim")
    if len(files) > _MOST_FILES or more_blocks:
        yield Line(f"{INDENT}and {len(files) - min(len(seen), _MOST_FILES)} more files (--html shows all)", "dim")
