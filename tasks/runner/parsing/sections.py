"""The up and down sections of a file of another tool: whether it has both, and their texts, exactly as the tool runs them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.postgres.section_marks import SECTION_MARKS, SectionMarks
from tasks.postgres.section_words import may_have_marks
from tasks.runner.parsing.changesets import divide_changesets
from tasks.runner.parsing.section_lines import (
    Direction,
    Fault,
    Sections,
    SourceLine,
    add_flag,
    find_fault,
    has_statement,
    is_terminated,
    read_lines,
    terminate,
)
from tasks.runner.parsing.source_text import SqlText

_HASH_LINE = re.compile(r"(?m)^#[^\r\n]*(?:\r\n|\r|\n|\Z)")
_HINT = "Split it into up/ and down/: inv db.cleanup-legacy (it splits migrations; from a seed, delete the down section)"


def refuse_both_directions(sql: SqlText) -> None:
    """Raise ScriptError for a text with statements in both sections, which a run would execute one after the other."""
    sections = read_sections(sql.text) if may_have_marks(sql.text.lower()) else None
    if sections is None or not (sections.has_up and sections.has_down):
        return
    start = next(line.start for line in read_lines(sql.text) if line.number == sections.down_line)
    raise sql.error(start, f"the file contains both directions: a down section of {sections.tool} begins here", hint=_HINT)


def read_sections(text: str, full: str = "") -> Sections | None:
    """Return the sections of a text; None if it has no marks.

    `text` may have the data of COPY blanked; `full` is the same text with the data, from which the sections are taken.
    """
    for marks, lines in _try_tools(text):
        if _has_marks(marks, lines):
            return divide_changesets(marks, lines, full or text) if marks.head else _Division(marks, full or text).divide(lines)
    return None


def _try_tools(text: str) -> Iterator[tuple[SectionMarks, tuple[SourceLine, ...]]]:
    plain = tuple(read_lines(text))
    has_hashes = "#" in {line.text[:1] for line in plain}
    for marks in SECTION_MARKS:
        yield marks, tuple(read_lines(text, hash_comments=True)) if marks.hash_comments and has_hashes else plain


def _has_marks(marks: SectionMarks, lines: tuple[SourceLine, ...]) -> bool:
    """Return True if the lines have the marks of a tool, perhaps in another spelling than it reads."""
    if marks.head:
        first = next((line for line in lines if line.text.strip()), None)
        return first is not None and first.matches(marks.head, loose=True)
    candidates = [line for line in lines if line.may_be_mark]
    found = {direction for line in candidates if (direction := line.read_direction(marks))}
    if marks.needs_up:
        return found == {"up", "down"}
    return bool(found) or any(line.matches(marks.no_transaction) for line in candidates)


@dataclass(slots=True)
class _Group:
    """Consecutive lines of one direction; None before the first section."""

    direction: Direction | None
    parts: list[str] = field(default_factory=list)


class _Division:
    """Divides the lines of a file at the marks of a tool."""

    def __init__(self, marks: SectionMarks, full: str) -> None:
        self._marks = marks
        self._full = full
        self._groups = [_Group(None if marks.up else "up")]
        self._alone: set[Direction] = set()
        self._counts: dict[Direction, int] = {"up": 0, "down": 0}
        self._block: list[str] | None = None
        """The lines since the mark that begins a statement."""
        self._down_line = 0
        self._faults: list[Fault] = []

    def divide(self, lines: tuple[SourceLine, ...]) -> Sections:
        """Return the sections; a fault is the first in the order of the lines."""
        marks = self._marks
        for line in lines:
            direction = line.read_direction(marks)
            if direction is not None:
                self._begin(line, direction)
            else:
                self._add(line, self._full[line.start : line.end])
        if self._block is not None:
            self._faults.append(Fault(lines[-1].number, "ends inside a statement that no mark ends"))
        if marks.up and not self._counts["up"] and self._counts["down"]:
            text = f"begins a down section, but no line begins an up section, which {marks.tool} needs"
            self._faults.append(Fault(self._down_line, text))
        head = "".join(part for group in self._groups if group.direction is None for part in group.parts)
        head = _HASH_LINE.sub("", head) if marks.hash_comments else head
        if has_statement(head):
            first = next(line for line in lines if has_statement(line.text))
            self._faults.append(Fault(first.number, f"is before the first section, where {marks.tool} does not run it"))
        found = find_fault(marks, lines, self._full)
        self._faults += [found] if found else []
        return Sections(
            marks.tool,
            add_flag(head + self._join("up"), no_transaction="up" in self._alone),
            add_flag(self._join("down"), no_transaction="down" in self._alone),
            self._down_line,
            min(self._faults, key=lambda fault: fault.line, default=None),
        )

    def _begin(self, line: SourceLine, direction: Direction) -> None:
        """Begin the section of a mark."""
        marks = self._marks
        self._counts[direction] += 1
        self._down_line = self._down_line or (line.number if direction == "down" else 0)
        reason = self._check(line, direction)
        self._faults += [Fault(line.number, reason)] if reason else []
        if line.matches(marks.section_no_transaction):
            self._alone.add(direction)
        if direction != self._groups[-1].direction or marks.downs_reversed:
            self._groups.append(_Group(direction))

    def _check(self, line: SourceLine, direction: Direction) -> str:
        """Return why the tool would not read a mark as we do."""
        marks = self._marks
        if not line.matches(marks.up if direction == "up" else marks.down):
            return f"resembles a mark of {marks.tool}, which would not read it"
        if self._counts[direction] > 1 and not marks.repeats:
            return f"begins a second {direction} section, which {marks.tool} does not read"
        if marks.ordered and direction == "down" and not self._counts["up"]:
            return f"begins a down section before the up section, which {marks.tool} refuses"
        return "begins a section inside a statement" if self._block is not None else ""

    def _add(self, line: SourceLine, text: str) -> None:
        """Add a line to its section, unless it is a mark, or the tool leaves it out."""
        marks, group = self._marks, self._groups[-1]
        if line.matches(marks.no_transaction):
            # Without an up mark (tern) the mark is for the section that contains it, else (goose) for the file.
            self._alone |= {"up", "down"} if marks.up or group.direction is None else {group.direction}
        elif line.matches(marks.statement_begin):
            self._block = []
        elif line.matches(marks.statement_end):
            if not is_terminated("".join(self._block or ())):
                group.parts.append(f";{text[len(text.rstrip()) :]}")
            self._block = None
        elif not line.matches(marks.variables_switch) and not (line.inside and marks.drops_comments and text.startswith("-- ")):
            group.parts.append(text)
            if self._block is not None:
                self._block.append(text)

    def _join(self, direction: Direction) -> str:
        """Return the text of all groups of a direction, in the order in which they run."""
        chosen = ["".join(group.parts) for group in self._groups if group.direction == direction]
        if self._marks.downs_reversed:
            chosen = [terminate(text) for text in (chosen if direction == "up" else reversed(chosen))]
        text = "".join(chosen)
        return text.replace(";;", ";") if self._marks.doubled_semicolon else text
