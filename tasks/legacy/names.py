"""What the names of old files say: number, part of a pair, description. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from tasks.runner.errors import UsageError
from tasks.runner.files.versions import MAX_DESCRIPTION_LENGTH, VERSION_PATTERN, LeadingNumber, read_leading_number, to_snake_case
from tasks.runner.ledger.renames import strip_ending

Kind = Literal["timestamped", "numbered", "repeatable", "unnumbered"]

_DOWN_ENDINGS = (".down", ".rollback", ".undo", "_down", "_rollback", "_undo")
_FLYWAY_UNDO = re.compile(r"U(?=\d)")
_TIMESTAMP = re.compile(r"\d{4}-?\d{2}-?\d{2}[-_]?\d{6}(?!\d)")
_PREFIX = re.compile(r"(?:[VR](?=[\d_]))?(?:\d+(?:[._-]\d+)*)?(?:__|[_. -]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class OldName:
    """Hold what the name of an up file says; `stem` is the name without its endings, by which a ledger may know it."""

    stem: str
    kind: Kind
    number: LeadingNumber | None
    description: str
    """The words of the name as the description of a version."""

    @property
    def timestamp(self) -> str:
        """Give the timestamp in the name as a version has it, or an empty text."""
        match = _TIMESTAMP.match(self.stem) if self.kind == "timestamped" else None
        return re.sub(r"\D", "", match[0]) if match else ""


def read_name(stem: str) -> OldName:
    """Read the name of an up file, given without `.sql`: 003_x, 001-x, V1_2__x, R__x, x.up, 20250101000000_x, or any other."""
    name = strip_ending(stem)
    match = _TIMESTAMP.match(name)
    if match:
        # A 2025-02-31 is no date, and so the beginning of the name is no timestamp.
        digits = re.sub(r"\D", "", match[0])
        if VERSION_PATTERN.fullmatch(f"{digits}_x"):
            return OldName(name, "timestamped", None, make_description(name[match.end() :]))
    number = read_leading_number(name)
    kind: Kind = "numbered" if number else "repeatable" if re.match("R__", name) else "unnumbered"
    rest = name if kind == "unnumbered" else _cut_prefix(name, number)
    return OldName(name, kind, number, make_description(rest))


def list_down_names(stem: str) -> tuple[str, ...]:
    """Name the files, without `.sql`, that may hold the way back of an up file."""
    name = read_name(stem).stem
    flyway = (f"U{name[1:]}",) if re.match(r"V\d", name) else ()
    return tuple(f"{name}{ending}" for ending in _DOWN_ENDINGS) + flyway


def is_down_name(stem: str) -> bool:
    """Tell whether a name, without `.sql`, says of itself that it is a way back."""
    return stem.endswith(_DOWN_ENDINGS[:3]) or bool(_FLYWAY_UNDO.match(stem) and "__" in stem)


def make_description(words: str) -> str:
    """Make the description of a version from what is left of an old name; there is always one."""
    try:
        return to_snake_case(words)
    except UsageError:
        plain = "_".join(re.findall(r"[a-z0-9]+", words.lower()))
        return f"migration_{plain}"[:MAX_DESCRIPTION_LENGTH].rstrip("_")


def _cut_prefix(name: str, number: LeadingNumber | None) -> str:
    """Take the number off a name; of 003_2_factor only the 003, of V1_2__x both."""
    if number is not None and name[:1].isdigit():
        return re.sub(r"^[\d.]+[_. -]*", "", name)
    match = _PREFIX.match(name)
    return name[match.end() :].lstrip("_-. ") if match else name
