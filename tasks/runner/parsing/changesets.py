"""The change sets of a formatted SQL file of Liquibase: their rollbacks are comments, and the last change set is undone first.

https://docs.liquibase.com/concepts/changelogs/sql-format.html
"""

from __future__ import annotations

import re

from tasks.postgres.section_marks import SectionMarks
from tasks.runner.parsing.section_lines import Sections, SourceLine, add_flag, find_fault, has_statement, terminate

_ROLLBACK_LINE = re.compile(r"\s*--\s*rollback\s(.*)", re.IGNORECASE | re.DOTALL)
_ROLLBACK_BLOCK = re.compile(r"\s*/\*\s*liquibase\s*rollback\s*\n(.*?)\*/[^\S\n]*\n?", re.IGNORECASE | re.DOTALL)
_NO_ROLLBACK = re.compile(r"\s*(?:not required|empty)\b.*", re.IGNORECASE | re.DOTALL)


def divide_changesets(marks: SectionMarks, lines: tuple[SourceLine, ...], full: str) -> Sections:
    """Return the SQL of all change sets, and their rollbacks in the opposite order."""
    up: list[str] = []
    rollbacks: list[str] = [""]
    down_line = skipped_to = 0
    alone = False
    for line in lines:
        if line.start < skipped_to or line.matches(marks.head, loose=True):
            continue
        text = full[line.start : line.end]
        block = None if line.inside else _ROLLBACK_BLOCK.match(full, line.start)
        inline = _ROLLBACK_LINE.match(text) if line.matches(marks.down, loose=True) else None
        if block or inline:
            rollbacks[-1] += block[1] if block else inline[1] if inline else ""
            skipped_to = block.end() if block else 0
            down_line = down_line or line.number
            continue
        if line.matches(marks.up, loose=True):
            rollbacks.append("")
            alone = alone or line.matches(marks.no_transaction)
        up.append(text)
    downs = [terminate(text) for text in reversed(rollbacks) if has_statement(text) and not _NO_ROLLBACK.fullmatch(text)]
    return Sections(
        marks.tool,
        add_flag("".join(up), no_transaction=alone),
        add_flag("".join(downs), no_transaction=alone),
        down_line,
        find_fault(marks, lines, full),
    )
