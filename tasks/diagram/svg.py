"""A diagram as SVG, in one file that needs no other: light or dark as the viewer prefers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from html import escape

from tasks.console.cells import clean, cut, width
from tasks.diagram.layout import Box, Connector, Size, make_layout
from tasks.diagram.model import Diagram, DrawnColumn, DrawnTable, ForeignKey, shorten

_CELL, _ROW, _HEAD, _PADDING, _MARGIN, _TOP = 7.3, 18.0, 26.0, 8.0, 24.0, 76.0
_NARROWEST = 380.0
_MOST_NAME, _MOST_TYPE = 80, 40
_INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot contain: https://www.w3.org/TR/xml/#charsets"""
_SIGNS = {"": "", "new": "+", "changed": "~", "dropped": "-"}
_LEGEND = (("new", "new"), ("changed", "changed"), ("dropped", "dropped"))
_STYLE = """
svg { color-scheme: light dark; --ground: #fff; --box: #fff; --head: #eef1f4; --line: #57606a; --text: #1f2328; --muted: #57606a;
  --new: #1a7f37; --new-head: #dafbe1; --changed: #7d4e00; --changed-head: #fff8c5; --dropped: #b3202b; --dropped-head: #ffebe9 }
@media (prefers-color-scheme: dark) {
  svg { --ground: #0d1117; --box: #0d1117; --head: #21262d; --line: #8b949e; --text: #e6edf3; --muted: #9da7b3; --new: #3fb950;
    --new-head: #12361f; --changed: #d29922; --changed-head: #3b2d00; --dropped: #ff7b72; --dropped-head: #4b1113 }
}
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
.ground { fill: var(--ground) }
text { fill: var(--text) }
.summary { font-size: 14px }
.muted { fill: var(--muted) }
.name { font-weight: 700 }
.box rect { fill: var(--box); stroke: var(--line) }
.box .head { fill: var(--head) }
.key { fill: none; stroke: var(--line); stroke-width: 1.2 }
.key:hover { stroke-width: 3 }
.key circle { fill: var(--ground) }
text.new { fill: var(--new) }
.box.new > rect, .key.new { stroke: var(--new) }
.box.new > .head { fill: var(--new-head) }
text.changed { fill: var(--changed) }
.box.changed > rect, .key.changed { stroke: var(--changed) }
.box.changed > .head { fill: var(--changed-head) }
text.dropped { fill: var(--dropped); text-decoration: line-through }
.box.dropped > rect, .key.dropped { stroke: var(--dropped) }
.box.dropped > .head { fill: var(--dropped-head) }
.key.dropped { stroke-dasharray: 5 4 }
"""


def render_svg(diagram: Diagram, summary: str) -> str:
    """Return a diagram as SVG, with a summary as its title and first line."""
    layout = make_layout(diagram, {table.name: _measure(table) for table in diagram.tables})
    wide = max(layout.width + 2 * _MARGIN, _NARROWEST, width(summary) * _CELL * 14 / 12 + 2 * _MARGIN)
    high = layout.height + _TOP + _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}" '
        'role="graphics-document document" aria-labelledby="title">',
        f'<title id="title">Tables and foreign keys: {_escape(summary)}</title>',
        f"<style>{_STYLE}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
        f'<text class="summary" x="{_MARGIN:.0f}" y="32">{_escape(summary)}</text>',
    ]
    if diagram.is_marked:
        lines += _draw_legend()
    lines.append(f'<g transform="translate({_MARGIN:.0f} {_TOP:.0f})">')
    lines += [text for connector in layout.connectors for text in _draw_key(connector)]
    lines += [text for table in diagram.tables for text in _draw_table(table, layout.boxes[table.name])]
    return "\n".join([*lines, "</g>", "</svg>", ""])


def _draw_legend() -> Iterator[str]:
    x = _MARGIN
    for mark, word in _LEGEND:
        text = f"{_SIGNS[mark]} {word}"
        yield f'<text class="{mark}" x="{x:.1f}" y="56">{text}</text>'
        x += (len(text) + 3) * _CELL
    yield f'<text class="muted" x="{x:.1f}" y="56">by pending migrations</text>'


def _measure(table: DrawnTable) -> Size:
    head = width(_write_head(table)) + 2
    keys = _measure_keys(table)
    body = max((_count_cells(column, keys) for column in table.columns), default=0)
    rows = {column.name: _HEAD + _ROW * (index + 0.5) for index, column in enumerate(table.columns)}
    return Size(max(head, body) * _CELL + 2 * _PADDING, _HEAD + _ROW * len(table.columns), rows)


def _count_cells(column: DrawnColumn, keys: int) -> int:
    return keys + 2 + width(_cut_name(column.name)) + 2 + width(_write_type(column))


def _measure_keys(table: DrawnTable) -> int:
    return max((len(",".join(column.keys)) for column in table.columns), default=0) + 1


def _cut_name(name: str) -> str:
    return cut(clean(name), _MOST_NAME)


def _write_type(column: DrawnColumn) -> str:
    text = cut(clean(column.type), _MOST_TYPE)
    return f"{cut(clean(column.was), _MOST_TYPE)} → {text}" if column.was else text


def _write_head(table: DrawnTable) -> str:
    sign = f"{_SIGNS[table.mark]} " if table.mark else ""
    parts = f" ({table.partitions} partition{'s' if table.partitions > 1 else ''})" if table.partitions else ""
    return f"{sign}{_cut_name(table.label)}{parts}"


def _draw_table(table: DrawnTable, box: Box) -> Iterator[str]:
    about = f"table {clean(table.label)}{f', {table.mark}' if table.mark else ''}"
    yield (
        f'<g class="box {table.mark}" role="graphics-object group" aria-label="{_escape(about)}" '
        f'transform="translate({box.x:.1f} {box.y:.1f})"><title>{_escape(about)}</title>'
    )
    yield f'<rect width="{box.width:.1f}" height="{box.height:.1f}" rx="4"/>'
    yield f'<rect class="head" width="{box.width:.1f}" height="{_HEAD:.0f}" rx="4"/>'
    yield f'<text class="name {table.mark}" x="{_PADDING:.0f}" y="{_HEAD / 2 + 4:.0f}">{_escape(_write_head(table))}</text>'
    left = _PADDING + _measure_keys(table) * _CELL
    for index, column in enumerate(table.columns):
        y = _HEAD + _ROW * index + _ROW / 2 + 4
        about = "; ".join(part for part in (f"{clean(column.name)} {clean(column.type)}", column.mark, *column.keys) if part)
        keys = f'<text class="muted" x="{_PADDING:.0f}" y="{y:.0f}">{",".join(column.keys)}</text>' if column.keys else ""
        sign = f"{_SIGNS[column.mark] or ' '} "
        yield (
            f"<g><title>{_escape(about)}</title>{keys}"
            f'<text class="{column.mark}" x="{left:.1f}" y="{y:.0f}">{_escape(sign + _cut_name(column.name))}</text>'
            f'<text class="{column.mark or "muted"}" text-anchor="end" x="{box.width - _PADDING:.1f}" y="{y:.0f}">'
            f"{_escape(_write_type(column))}</text></g>"
        )
    yield "</g>"


def _draw_key(connector: Connector) -> Iterator[str]:
    """Yield the line of a foreign key with its ends: a crow's foot for many rows, a circle for an optional one, a bar for one."""
    points, key = connector.points, connector.key
    (start_x, start_y), (end_x, end_y) = points[0], points[-1]
    out = 1 if points[1][0] > start_x or connector.loops else -1
    back = 1 if points[-2][0] > end_x or connector.loops else -1
    path = f"M{start_x:.1f} {start_y:.1f}"
    for (x, y), (next_x, next_y) in itertools.pairwise(points):
        if connector.loops and abs(y - next_y) > 0:
            far = max(x, next_x) + 40
            path += f" C{far:.1f} {y:.1f} {far:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}"
        elif y == next_y:
            path += f" H{next_x:.1f}"
        else:
            middle = (x + next_x) / 2
            path += f" C{middle:.1f} {y:.1f} {middle:.1f} {next_y:.1f} {next_x:.1f} {next_y:.1f}"
    yield f'<g class="key {key.mark}"><title>{_escape(_describe(key))}</title><path d="{path}"/>'
    if key.single:
        yield f'<path d="M{start_x + 8 * out:.1f} {start_y - 5:.1f}v10"/>'
    else:
        yield f'<path d="M{start_x:.1f} {start_y - 6:.1f}l{10 * out} 6l{-10 * out} 6"/>'
    yield f'<path d="M{end_x + 7 * back:.1f} {end_y - 5:.1f}v10"/>'
    if key.optional:
        yield f'<circle cx="{end_x + 14 * back:.1f}" cy="{end_y:.1f}" r="4"/>'
    yield "</g>"


def _describe(key: ForeignKey) -> str:
    child, parent = clean(shorten(key.table)), clean(shorten(key.target))
    columns, targets = clean(", ".join(key.columns)), clean(", ".join(key.target_columns))
    many = "at most one row" if key.single else "any number of rows"
    one = "one or none" if key.optional else "one"
    mark = f"; {key.mark}" if key.mark else ""
    return f"{clean(key.name)}: {child} ({columns}) → {parent} ({targets}): {many} of {child} for {one} of {parent}{mark}"


def _escape(text: str) -> str:
    return escape(_INVALID.sub("\ufffd", text))
