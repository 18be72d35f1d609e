"""The parts of the name of an old file: number, up or down, description."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tasks.runner.errors import UsageError
from tasks.runner.files.versions import MAX_DESCRIPTION_LENGTH, VERSION_PATTERN, LeadingNumber, read_leading_number, to_snake_case
from tasks.runner.ledger.renames import strip_ending

Kind = Literal["timestamped", "numbered", "repeatable", "unnumbered"]

_DOWN_ENDINGS = (".down", ".rollback", ".undo", "_down", "_rollback", "_undo")
_FLYWAY_UNDO = re.compile(r"U(?=\d)")
_DATE = r"\d{4}([-_.]?)\d{2}\1\d{2}"
_END = r"(?![0-9])"
_TIMESTAMPS = (
    re.compile(rf"{_DATE}[-_T. ]?\d{{2}}([-_:.]?)\d{{2}}\2\d{{2}}(?:[.,]\d{{1,6}}|\d{{3}})?Z?{_END}"),
    re.compile(rf"{_DATE}[-_T. ]?\d{{2}}[-_:]?\d{{2}}Z?{_END}"),
    re.compile(rf"{_DATE}{_END}"),
)
"""A date with a time, with hours and minutes, and alone."""
_PLACE = re.compile(r"(?<![0-9])(?=(?:19|20)\d{2}([-_.]?)\d{2}\1\d{2})")
"""Where a date may begin inside a name."""
_PART = re.compile(r"[-_.](\d{1,3})(?=[-_.\s]|$)")
"""The number of a file among those of one day: 20240105_02_x, 20240105.2_x."""
_RESEMBLES_DATE = re.compile(rf"V?((?:19|20)(?:\d{{6}}|\d{{12}}|\d{{2}}([-_.])\d{{2}}\2\d{{2}})){_END}", re.IGNORECASE)
_EPOCH = re.compile(r"(1\d{9})(\d{3})?(?!\d)")
"""Seconds since 1970, or milliseconds, as some tools number files (node-pg-migrate, shmig); years before 2033."""
_PREFIX = re.compile(r"(?:[VR](?=[\d_]))?(?:\d+(?:[._-]\d+)*)?(?:__|[_. -]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OldName:
    """The parts of the name of an up file; `stem` is the name without its endings, which a ledger may have recorded."""

    stem: str
    kind: Kind
    number: LeadingNumber | None
    """The number at the start; after a date, the number of the file among those of that day."""
    description: str
    """The words of the name as the description of a version."""
    timestamp: str = ""
    """The date in the name as the timestamp of a version; zeros for a time that it lacks."""

    @property
    def wrong_date(self) -> str:
        """Return the number at the start of the name if it resembles a date that does not exist."""
        match = _RESEMBLES_DATE.match(self.stem) if not self.timestamp else None
        return match[1] if match else ""


def read_name(stem: str) -> OldName:
    """Return the parts of an up file's name, without `.sql`: 003_x, 001-x, V1_2__x, R__x, x.up, 20250101_x, or any."""
    name = strip_ending(stem)
    start = 1 if re.match(r"V\d", name) else 0
    timestamp, end = _read_timestamp(name, start)
    if timestamp:
        part = _PART.match(name, end)
        rest = name[part.end() if part else end :]
        return OldName(name, "timestamped", (int(part[1]),) if part else None, make_description(rest.lstrip("_-. ")), timestamp)
    number = read_leading_number(name)
    kind: Kind = "numbered" if number else "repeatable" if re.match("R__", name) else "unnumbered"
    rest = name if kind == "unnumbered" else _cut_prefix(name, number)
    inside = [_read_timestamp(name, match.start())[0] for match in _PLACE.finditer(name)] if kind == "unnumbered" else []
    return OldName(name, kind, number, make_description(rest), next(filter(None, inside), ""))


def _read_timestamp(name: str, start: int) -> tuple[str, int]:
    """Return the timestamp that a name has at a place, and its end; an empty text for a number that is no date."""
    for pattern in _TIMESTAMPS:
        match = pattern.match(name, start)
        digits = re.sub(r"\D", "", match[0])[:14].ljust(14, "0") if match else ""
        if match and VERSION_PATTERN.fullmatch(f"{digits}_x") and _exists(digits):
            return digits, match.end()
    match = _EPOCH.match(name, start)
    if match:
        return f"{datetime.fromtimestamp(int(match[1]), UTC):%Y%m%d%H%M%S}", match.end()
    return "", 0


def _exists(digits: str) -> bool:
    """Return False for a day that no month has."""
    try:
        datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def list_down_names(stem: str) -> tuple[str, ...]:
    """Return the possible names, without `.sql`, of the down file of an up file."""
    name = read_name(stem).stem
    flyway = (f"U{name[1:]}",) if re.match(r"V\d", name) else ()
    return tuple(f"{name}{ending}" for ending in _DOWN_ENDINGS) + flyway


def read_undo_number(stem: str) -> LeadingNumber:
    """Return the number of an undo file of Flyway, empty for another file."""
    is_undo = _FLYWAY_UNDO.match(stem) and "__" in stem
    return (read_leading_number(f"V{stem[1:]}") or ()) if is_undo else ()


def is_down_name(stem: str) -> bool:
    """Return True if a name, without `.sql`, is that of a down file."""
    return stem.endswith(_DOWN_ENDINGS[:3]) or bool(_FLYWAY_UNDO.match(stem) and "__" in stem)


def make_description(words: str) -> str:
    """Return the description of a version made from the rest of an old name, never empty."""
    try:
        return to_snake_case(words)
    except UsageError:
        plain = "_".join(re.findall(r"[a-z0-9]+", words.lower()))
        return f"migration_{plain}"[:MAX_DESCRIPTION_LENGTH].rstrip("_")


def _cut_prefix(name: str, number: LeadingNumber | None) -> str:
    """Return a name without its number: without 003 of 003_2_factor, without V1_2 of V1_2__x."""
    if number is not None and name[:1].isdigit():
        return re.sub(r"^[\d.]+[_. -]*", "", name)
    match = _PREFIX.match(name)
    return name[match.end() :].lstrip("_-. ") if match else name
