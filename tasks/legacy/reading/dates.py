"""The date of an old file: from its name, its first commit, its header, or its modification time, in this order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from tasks.checkout.git import Repository
from tasks.legacy.reading.files import OldFile

DateSource = Literal["name", "git", "header", "modification time"]

_HEAD_LINES = 40
_CLOCKS = timedelta(days=1)
"""How far the clocks and time zones of two machines may differ."""
_COMMENT = re.compile(r"\s*(?:--+|/?\*+)\s?(.*?)\s*(?:\*/)?\s*$")
_DATE = r"(\d{4})[-/](\d{2})[-/](\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?"
_HEADER_DATE = re.compile(rf"(?:.*\b(?:date|created|written|author(?:ed)?|added)\b.*?)?{_DATE}(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileDate:
    """When a file was written (UTC), the source of that date, and a notice about it."""

    at: datetime
    source: DateSource
    notice: str = ""


def date_files(files: Iterable[OldFile]) -> dict[Path, FileDate]:
    """Return the date of each file."""
    repositories: dict[Path, Repository] = {}
    dates = {}
    for file in files:
        repository = repositories.setdefault(file.path.parent, Repository(file.path.parent.absolute()))
        dates[file.path] = date_file(file, repository)
    return dates


def date_file(file: OldFile, repository: Repository) -> FileDate:
    """Return the date of a file from the first source that has one, with a notice if the date in its name cannot be right."""
    date = _find_date(file, repository)
    if file.name.wrong_date:
        return replace(
            date, notice=f"{file.name.wrong_date} is not a date, so it is read as a number; rename the file if it is one"
        )
    if date.at > datetime.now(UTC) + _CLOCKS:
        return replace(date, notice=f"the date is in the future: every later migration gets a timestamp after it ({date.source})")
    return date


def _find_date(file: OldFile, repository: Repository) -> FileDate:
    if file.name.timestamp:
        named = _build_date(
            *(file.name.timestamp[start:end] for start, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)))
        )
        if named:
            return FileDate(named, "name")
    notice = ""
    first = repository.find_first_commit(file.path)
    if first is not None and first.commit not in repository.boundary:
        return FileDate(first.at, "git")
    if first is not None:
        notice = "this clone is shallow and lacks the first commit of the file; run git fetch --unshallow"
    written = read_header_date(file.path.read_bytes())
    if written is not None:
        return FileDate(written, "header", notice)
    return FileDate(datetime.fromtimestamp(int(file.path.stat().st_mtime), UTC), "modification time", notice)


def read_header_date(data: bytes) -> datetime | None:
    """Return the date in the leading comments of a file: `-- Date: 2025-08-13`, `-- Created on 2025-08-13 14:00`."""
    for line in data.decode("utf-8-sig", errors="replace").splitlines()[:_HEAD_LINES]:
        comment = _COMMENT.match(line)
        if comment is None:
            if line.strip():
                return None
            continue
        match = _HEADER_DATE.match(comment[1])
        date = _build_date(*match.groups()) if match else None
        if date is not None:
            return date
    return None


def _build_date(*parts: str | None) -> datetime | None:
    """Return the time for year, month, day, hour, minute and second, None for one that does not exist."""
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
