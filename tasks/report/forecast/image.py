"""The timeline of locks as an SVG image: a lane for each table, a slot for each statement, wider the longer it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from tasks.console.cells import clean, cut, first_line
from tasks.console.lines import format_place
from tasks.forecast.events import StatementForecast
from tasks.forecast.timeline import LockLane, LockSpan, make_timeline
from tasks.report.escaping import to_svg
from tasks.report.forecast.collecting import CompleteForecast
from tasks.report.forecast.words import describe_kept_out, describe_verdict, find_worst_operation, format_range, name_group

IMAGE_STYLE = """
.scroll { overflow-x: auto }
.locks { display: block; font: 12px system-ui, sans-serif }
.locks text { fill: CanvasText }
.locks .muted { fill: GrayText }
.locks .name { font-family: ui-monospace, monospace }
.locks .file { stroke: #8886 }
.locks .lane { stroke: #8883 }
.locks .R { fill: light-dark(#cf222e, #f85149) }
.locks .W { fill: light-dark(#9a6700, #d29922) }
.locks .D { fill: light-dark(#0969da, #58a6ff) }
.locks .span text { fill: Canvas; font-size: 10px; font-weight: 600 }
@media print { .scroll { overflow: visible } .locks { max-width: 100%; height: auto } .locks rect { print-color-adjust: exact } }
"""
LEGEND = (("R", "reads and writes wait"), ("W", "writes wait"), ("D", "schema changes wait"))
MOST_LANES = 200
_CELL, _MOST_NAME = 7.5, 48
_ROW, _TOP, _GAP, _NARROW, _DECADE = 22, 44, 10, 16, 14
_LONGEST_S = 1e6
_FEWEST_CELLS, _MOST_LABEL_CELLS = 4, 40
_LABEL_CELL = 8


def render_image(event: CompleteForecast) -> str:
    """Return the image, with how many lanes it leaves out; "" if no statement keeps anything out."""
    timeline = make_timeline(event.statements, event.parents)
    if not timeline.lanes:
        return ""
    lanes = timeline.lanes[:MOST_LANES]
    names = [cut(name_group(lane.group), _MOST_NAME) for lane in lanes]
    left = round(max(map(len, names)) * _CELL) + _GAP
    edges = _place(timeline.columns, left)
    wide, high = edges[-1][1] + _GAP, _TOP + _ROW * len(lanes) + _GAP
    about = f"Locks of {len(timeline.columns)} statements on {len(timeline.lanes)} tables"
    more = len(timeline.lanes) - len(lanes)
    lines = [
        f"<p>{_list_legend()}. The longer a statement runs, the wider it is; not to scale.</p>",
        f'<div class="scroll" tabindex="0" role="region" aria-label="{about}">',
        f'<svg class="locks" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" role="img" aria-label="{about}">',
        *_draw_files(timeline.columns, edges, high),
    ]
    for number, (name, lane) in enumerate(zip(names, lanes, strict=True)):
        lines += _draw_lane(name, lane, timeline.columns, edges, _TOP + _ROW * number)
    return "\n".join([*lines, "</svg></div>", *([f"<p>And {more:,} more tables.</p>"] if more else []), ""])


def _list_legend() -> str:
    return "; ".join(f"{letter}: {text}" for letter, text in LEGEND)


def _place(columns: Sequence[StatementForecast], left: int) -> list[tuple[int, int]]:
    """Return the left and right edge of each column; a gap is between two files."""
    edges: list[tuple[int, int]] = []
    x, version = left, columns[0].version
    for statement in columns:
        x += _GAP if statement.version != version else 0
        edges.append((x, x + _measure(statement)))
        x, version = edges[-1][1], statement.version
    return edges


def _measure(statement: StatementForecast) -> int:
    longest = min(statement.seconds[1], _LONGEST_S) if statement.seconds else 1.0
    return _NARROW + round(_DECADE * math.log10(1 + 10 * max(longest, 0.0)))


def _draw_files(columns: Sequence[StatementForecast], edges: Sequence[tuple[int, int]], high: int) -> Iterator[str]:
    """Yield for each file its name, as far as it fits, and a line; and for each statement the number of its line."""
    index = 0
    for version, group in groupby(columns, key=lambda each: each.version):
        file = list(group)
        start, end = edges[index][0], edges[index + len(file) - 1][1]
        room = int((end - start) / _LABEL_CELL)
        label = cut(clean(version.partition("_")[2] or version), min(room, _MOST_LABEL_CELLS)) if room >= _FEWEST_CELLS else ""
        yield f'<g><title>{to_svg(format_place(version, 0))}</title><path class="file" d="M{start} 4V{high}"/>'
        yield f'<text class="muted" x="{start + 2}" y="16">{to_svg(label)}</text></g>'
        for statement, (x, right) in zip(file, edges[index:], strict=False):
            number = str(statement.line)
            shown = (
                f'<text class="muted" x="{x + 3}" y="34">{number}</text>' if len(number) * _LABEL_CELL <= right - x - 1 else ""
            )
            yield f"<g><title>{to_svg(_describe(statement))}</title>{shown}</g>" if shown else ""
        index += len(file)


def _describe(statement: StatementForecast) -> str:
    time = f"\nruns for {format_range(statement.seconds)}" if statement.seconds else ""
    place = format_place(statement.version, statement.line)
    return f"{place}: {describe_verdict(statement)}\n{first_line(statement.statement)}{time}"


def _draw_lane(
    name: str, lane: LockLane, columns: Sequence[StatementForecast], edges: Sequence[tuple[int, int]], y: int
) -> Iterator[str]:
    yield f'<g><title>{to_svg(name_group(lane.group))}</title><text class="name" x="0" y="{y + 15}">{to_svg(name)}</text></g>'
    yield f'<path class="lane" d="M0 {y + _ROW - 1}H{edges[-1][1]}"/>'
    for span in sorted(lane.spans, key=_weigh):
        letter = find_worst_operation(span.keeps_out)
        x, right = edges[span.first][0], edges[span.last][1]
        until = format_place(columns[span.last].version, columns[span.last].line)
        title = f"{describe_kept_out(span.keeps_out)} wait, to the end of {until}\n{_describe(columns[span.first])}"
        yield f'<g class="span"><title>{to_svg(title)}</title>'
        yield f'<rect class="{letter}" x="{x + 1}" y="{y + 3}" width="{right - x - 2}" height="{_ROW - 6}" rx="3"/>'
        yield "</g>"
    for index, letter in _find_labels(lane):
        yield f'<g class="span"><text x="{edges[index][0] + 5}" y="{y + 15}" pointer-events="none">{letter}</text></g>'


def _weigh(span: LockSpan) -> int:
    """Return the place of a span in the order of drawing: what keeps more out covers what keeps less out."""
    return "DWR".index(find_worst_operation(span.keeps_out))


def _find_labels(lane: LockLane) -> Iterator[tuple[int, str]]:
    """Yield the columns at which the letter of a lane changes, with the letter: the image is readable without colour."""
    ends = sorted({edge for span in lane.spans for edge in (span.first, span.last + 1)})
    before = ""
    for column in ends:
        kept = frozenset[str]().union(*(each.keeps_out for each in lane.spans if each.first <= column <= each.last))
        letter = find_worst_operation(kept)
        if letter not in {"", before}:
            yield column, letter
        before = letter
