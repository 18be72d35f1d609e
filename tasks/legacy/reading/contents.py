"""What an old file contains: its up and down text, split at the marks of another tool, with its transaction flag."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

from tasks.legacy.reading.files import OldFile
from tasks.runner.files.checkout import show_path
from tasks.runner.parsing import ScriptError
from tasks.runner.parsing.psql import needs_psql, take_copy_data
from tasks.runner.parsing.section_lines import NO_TRANSACTION, Sections
from tasks.runner.parsing.sections import read_sections
from tasks.runner.parsing.source_text import SqlText


@dataclass(frozen=True, slots=True)
class OldTexts:
    """The bytes that become the up file and the down file of a migration; `down` is None without one."""

    up: bytes
    down: bytes | None = None
    split: Sections | None = None
    """The sections from which both come, if the file has marks."""
    fault: str = ""
    """Why the file cannot be split as its tool would run it; empty if it can."""

    @property
    def note(self) -> str:
        """Return what was done with the file, in words."""
        if self.split is None:
            return ""
        if self.split.has_down:
            return f"is split at line {self.split.down_line} into up and down (marks of {self.split.tool})"
        return f"has no down statement (marks of {self.split.tool})"


def read_texts(file: OldFile) -> OldTexts:
    """Return what becomes of an old file; a file that is not text is left as it is, a down file may have been moved already."""
    data = file.path.read_bytes()
    down = file.down.read_bytes() if file.down is not None and file.down.exists() else None
    split = split_sections(data, show_path(file.path))
    if split is None:
        return OldTexts(_flag(data, file), None if down is None else _flag(down, file))
    fault = f"line {split.fault.line} {split.fault.reason}" if split.fault else ""
    if split.has_down and file.down is not None:
        fault = fault or f"line {split.down_line} begins a down section, and there is {show_path(file.down)} as well"
    if split.has_down and down is None:
        down = split.down.encode()
    return OldTexts(_flag(split.up.encode(), file), down, split, fault)


def read_down(file: OldFile, data: bytes) -> OldTexts:
    """Return what becomes of the bytes of a down file, whose up file may have been moved already."""
    return OldTexts(b"", _flag(data, file))


def split_sections(data: bytes, shown: str) -> Sections | None:
    """Return the sections of a file's bytes; None for a file without marks, and for one that is not UTF-8 text."""
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        return None
    try:
        scanned = take_copy_data(SqlText(shown, text))[0].text if needs_psql(text.lower()) else text
    except ScriptError:
        scanned = text
    return read_sections(scanned, text)


def contains_both_directions(path: Path) -> bool:
    """Return True if a file has statements in both sections."""
    sections = split_sections(path.read_bytes(), show_path(path))
    return sections is not None and sections.has_up and sections.has_down


def _flag(data: bytes, file: OldFile) -> bytes:
    """Return bytes with the directive for a file that its tool runs without a transaction, unless they have it."""
    mark = NO_TRANSACTION.encode()
    if not file.no_transaction or mark in data:
        return data
    return mark + (b"\r\n" if b"\r\n" in data else b"\n") + data
