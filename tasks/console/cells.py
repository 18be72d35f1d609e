"""Text from files and databases, made safe for a terminal: cleaned, measured in cells, and cut."""

from __future__ import annotations

import re
from itertools import accumulate
from unicodedata import category, east_asian_width

TAB_CELLS = 4

_ESCAPE_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x9b[0-?]*[ -/]*[@-~]"  # the same with the one-character introducer
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS and their like: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]"  # all others: reset, character sets
)
_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_HANGUL_VOWELS_AND_FINALS = range(0x1160, 0x1200)
_SPACES = dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
# Characters that reorder or hide the text next to them: https://trojansource.codes
_DECEIVERS = [0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_CLEAN = dict.fromkeys([*_CONTROLS, *_DECEIVERS]) | _SPACES | _SURROGATES
_VISIBLE = dict.fromkeys([*_CONTROLS, *_DECEIVERS], "\ufffd") | _SURROGATES


def clean(text: str) -> str:
    """Return a text on one line without escape sequences, control characters and direction marks."""
    if text.isprintable():
        return text
    return _ESCAPE_SEQUENCES.sub("", text).translate(_CLEAN).rstrip()


def clean_lines(text: str) -> list[str]:
    """Return the cleaned lines of a text; tabs become spaces, and empty lines at both ends are dropped."""
    if text.isprintable():
        return [text] if text else []
    lines = [_ESCAPE_SEQUENCES.sub("", line).expandtabs(TAB_CELLS).translate(_CLEAN) for line in text.splitlines()]
    return "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")


def first_line(text: str) -> str:
    """Return the first line of a statement that is not blank, cleaned."""
    if text.isprintable():
        return text.strip()
    return next((clean(line).strip() for line in text.splitlines() if line.strip()), "")


def measure(text: str) -> list[int]:
    """Return for each character how many cells of a terminal it takes.

    Wide East Asian characters and emoji take two cells, combining marks and joined emoji none
    (https://www.unicode.org/reports/tr11/, https://www.unicode.org/reports/tr51/).
    """
    if text.isascii():
        return [1] * len(text)
    cells: list[int] = []
    before = ""
    for character in text:
        cells.append(_measure(character, before, cells[-1] if cells else 0))
        before = character
    return cells


def _measure(character: str, before: str, before_cells: int) -> int:
    code = ord(character)
    if character == _EMOJI_STYLE:
        return 1 if before_cells == 1 and not before.isascii() else 0
    if before == _JOINER or code in _SKIN_TONES:
        return 0 if before else 2
    if code in _HANGUL_VOWELS_AND_FINALS or category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1


def width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return len(text) if text.isascii() else sum(measure(text))


def pad(text: str, cells: int) -> str:
    """Return a text padded with spaces to a width."""
    return text + " " * (cells - width(text))


def cut(text: str, cells: int) -> str:
    """Return a text cut to a width, with an ellipsis in place of the rest."""
    if len(text) * 2 <= cells or width(text) <= cells:
        return text
    ends = accumulate(measure(text[:cells]))
    return text[: sum(end < cells for end in ends)] + "…"


def point_at(source: str, column: int, cells: int) -> tuple[str, str]:
    """Return a source line cut to a width, and the line below it with a caret under the column (from 1; 0 for no caret).

    Tabs become spaces, and control characters become a visible mark, so that the caret is in the right place.
    Of a line that is too long only the part around the column is shown.
    """
    target = min(max(column - 1, 0), len(source))
    start, stop = max(0, target - 2 * cells), target + 2 * cells
    shown, widths = _expand(source[start:stop])
    target -= start
    while 0 < target < len(widths) and widths[target] == 0:
        target -= 1
    edges = [0, *accumulate(widths)]
    first, last = _choose_window(edges, target, cells, (start > 0, stop < len(source)))
    left = "…" if first > 0 or start > 0 else ""
    right = "…" if last < len(shown) or stop < len(source) else ""
    line = left + "".join(shown[first:last]) + right
    caret = " " * (len(left) + edges[target] - edges[first]) + "^" if column > 0 else ""
    return line.rstrip(), caret


def _expand(source: str) -> tuple[list[str], list[int]]:
    """Return for each character what is shown in its place, and how many cells that takes."""
    visible = source.translate(_VISIBLE | {ord("\t"): "\t"})
    shown, widths, position = list(visible), measure(visible), 0
    for index, character in enumerate(shown):
        if character == "\t":
            widths[index] = TAB_CELLS - position % TAB_CELLS
            shown[index] = " " * widths[index]
        position += widths[index]
    return shown, widths


def _choose_window(edges: list[int], target: int, cells: int, is_cut: tuple[bool, bool]) -> tuple[int, int]:
    """Return the range of characters that fit, with the target in the middle if possible."""
    end = len(edges) - 1
    if edges[-1] + sum(is_cut) <= cells:
        return 0, end
    first = target
    while first > 0 and edges[target] - edges[first - 1] <= cells // 2:
        first -= 1
    while first > 0 and edges[-1] - edges[first - 1] + 2 <= cells:
        first -= 1
    last = max(first, min(target, end))
    while last < end and edges[last + 1] - edges[first] + 2 <= cells:
        last += 1
    return first, last
