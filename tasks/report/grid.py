"""A table as segments of rich: its own layout of tables takes seconds for some thousand rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.text import Text

from tasks.console.cells import width

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions

GAP = 2
"""How many spaces are between two columns."""

Styled = tuple[str, str]
"""A text and its style."""


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column: its heading, its width in cells, and the side at which its texts are aligned."""

    name: str
    cells: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a heading; the lines of a cell are below each other, and are folded to the width of their column."""

    columns: Sequence[GridColumn]
    rows: Sequence[Sequence[Sequence[Styled]]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the segments of all lines, as rich's protocol for renderables demands."""
        total = sum(column.cells + GAP for column in self.columns) - GAP
        yield from self._draw(console, [[(column.name, "bold")] for column in self.columns])
        yield from (Segment("─" * min(total, options.max_width)), Segment.line())
        for row in self.rows:
            yield from self._draw(console, row)

    def _draw(self, console: Console, row: Sequence[Sequence[Styled]]) -> Iterator[Segment]:
        folded = [list(_fold(lines, column.cells, console)) for lines, column in zip(row, self.columns, strict=True)]
        for number in range(max(map(len, folded))):
            spaces = 0
            for lines, column in zip(folded, self.columns, strict=True):
                text, style = lines[number] if number < len(lines) else ("", "")
                free = column.cells - width(text)
                if text:
                    yield Segment(" " * (spaces + (free if column.right else 0)))
                    yield Segment(text, console.get_style(style))
                    spaces = 0 if column.right else free
                else:
                    spaces += column.cells
                spaces += GAP
            yield Segment.line()


def _fold(lines: Sequence[Styled], cells: int, console: Console) -> Iterator[Styled]:
    for text, style in lines:
        if width(text) <= cells:
            yield text, style
        else:
            yield from ((part.plain.rstrip(), style) for part in Text(text).wrap(console, max(cells, 1)))
