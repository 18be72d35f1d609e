"""The rules of a version (the name of a migration), and how a new one is created."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.runner.errors import RefusedError, UsageError

MAX_VERSION_LENGTH = 255
"""The length of the ledger's column, in characters."""

MAX_DESCRIPTION_LENGTH = 255 - len("YYYYMMDDHHMMSS_") - len(".sql")
"""The longest description of a new migration: file systems allow names of 255 bytes."""

_SHAPE = "YYYYMMDDHHMMSS_description.sql"
_FORMAT = "%Y%m%d%H%M%S"
_TIMESTAMP_LENGTH = 14
_TIMESTAMP = "(?:19[7-9][0-9]|2[0-9]{3})(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_LEADING_TIMESTAMP = re.compile(rf"{_TIMESTAMP}(?![0-9])")

VERSION_PATTERN = re.compile(rf"{_TIMESTAMP}_[A-Za-z0-9_-]{{1,{MAX_VERSION_LENGTH - _TIMESTAMP_LENGTH - 1}}}")
"""The pattern of a version, for fullmatch(): a plausible UTC timestamp, `_`, and a description.

Only ASCII letters: file systems differ in how they store an accented letter, so one name could become two versions.
"""

_PARTS = (
    ("year", slice(0, 4), "1970", "2999"),
    ("month", slice(4, 6), "01", "12"),
    ("day", slice(6, 8), "01", "31"),
    ("hour", slice(8, 10), "00", "23"),
    ("minute", slice(10, 12), "00", "59"),
    ("second", slice(12, 14), "00", "59"),
)
_SHOWN_LENGTH = 60
_WRONG_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")

_NAME_RULE = "A name starts with a letter and contains letters, digits, spaces, '-' and '_', for example add_user_settings_table."
_PLAIN_LETTERS = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i", "'": None, "\u2019": None,
    }
)  # fmt: skip
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def describe_fault(stem: str) -> str | None:
    """Return which rule of a version the stem of a file breaks, or None."""
    if VERSION_PATTERN.fullmatch(stem):
        return None
    if len(stem) > MAX_VERSION_LENGTH:
        return f"longer than {MAX_VERSION_LENGTH} characters ({len(stem)}): shorten the description"
    digits = len(stem) - len(stem.lstrip("0123456789"))
    if digits == 0:
        return f"no timestamp: rename to {_SHAPE}"
    if digits != _TIMESTAMP_LENGTH:
        return f"a timestamp has {_TIMESTAMP_LENGTH} digits, this one has {digits}: rename to {_SHAPE}"
    for name, part, low, high in _PARTS:
        if not low <= stem[part] <= high:
            return f"{name} {stem[part]} does not exist ({low} to {high})"
    return _describe_description_fault(stem[_TIMESTAMP_LENGTH:])


def _describe_description_fault(rest: str) -> str:
    if rest in ("", "_"):
        return f"no description after the timestamp: rename to {_SHAPE}"
    if not rest.startswith("_"):
        return f"{rest[0]!r} after the timestamp instead of '_': rename to {_SHAPE}"
    wrong = _WRONG_CHARACTER.search(rest)
    return f"{wrong[0] if wrong else rest!r} in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed"


def path_of(folder: Path, version: str) -> Path:
    """Return the path of a version's file in a folder: the only place where a version becomes a path.

    A version may come from a ledger, from renames.toml or from a machine, where others can write.
    Raises RefusedError for a text that breaks the rules of a version, such as one with a path separator.
    """
    fault = describe_fault(version)
    if fault is not None:
        raise RefusedError(
            f"{_show(version)} is not the name of a migration: {fault}",
            hint="It comes from the ledger, from renames.toml or from a machine. Correct it there.",
            state="Nothing was changed.",
        )
    return folder / f"{version}.sql"


def to_snake_case(name: str) -> str:
    """Return the name of a migration as the description of a version.

    Accents are removed, symbols separate words, and a `.sql` at the end is dropped. A digit at the start is refused: it is nearly
    always a number or a timestamp, which the tool adds itself.
    Raises UsageError with the rule if the name is invalid.
    """
    text = name.strip()
    if not text:
        raise _refuse(name, "is empty")
    if "/" in text or "\\" in text:
        raise _refuse(name, "contains a path separator", hint="MIGRATIONS_DIR names the folder.")
    if text.startswith("-"):
        raise _refuse(name, "starts with '-', as an option does")
    folded = _fold(re.sub(r"\.sql\Z", "", text, flags=re.IGNORECASE))
    foreign = next((letter for letter in folded if letter.isalnum() and not letter.isascii()), None)
    if foreign:
        raise _refuse(name, f"contains {foreign!r}, which has no equivalent in a-z and 0-9")
    description = "_".join(re.findall(r"[a-z0-9]+", _WORD_START.sub("_", folded).lower()))
    if not description:
        raise _refuse(name, "contains neither letters nor digits")
    if description[0].isdigit():
        raise _refuse(name, "starts with a digit", hint="Leave it out: the tool adds the timestamp.")
    if len(description) > MAX_DESCRIPTION_LENGTH:
        raise _refuse(name, f"is longer than {MAX_DESCRIPTION_LENGTH} characters ({len(description)})")
    return description


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN_LETTERS))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _refuse(name: str, fault: str, *, hint: str = "") -> UsageError:
    return UsageError(f"The name {_show(name)} {fault}.", hint=f"{hint} {_NAME_RULE}".strip(), state="No file was created.")


def _show(name: str) -> str:
    return repr(name) if len(name) <= _SHOWN_LENGTH else f"{name[:_SHOWN_LENGTH]!r}…"


def newest_timestamp(names: Iterable[str]) -> str | None:
    """Return the newest timestamp at the start of the file names, or None."""
    return max((match[0] for match in map(_LEADING_TIMESTAMP.match, names) if match), default=None)


def next_timestamp(now: datetime, newest: str | None) -> str:
    """Return the timestamp of `now` in UTC, or the first one after `newest` if that is later.

    `now` must have a time zone. `newest` is a timestamp or a version; its date need not exist (such as February 31).
    Raises RefusedError if `newest` has the latest possible timestamp.
    """
    if now.tzinfo is None:
        raise ValueError("now has no time zone")
    clock = now.astimezone(UTC).strftime(_FORMAT)
    if newest is None or clock > newest[:_TIMESTAMP_LENGTH]:
        return clock
    following = _follow(newest[:_TIMESTAMP_LENGTH])
    if not _LEADING_TIMESTAMP.fullmatch(following):
        raise RefusedError(
            f"{newest} has the latest possible timestamp: a new file cannot be ordered after it",
            hint="Rename that file: use the time when it was written.",
            state="No file was created.",
        )
    return following


def _follow(timestamp: str) -> str:
    year, month, day = int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8])
    if day > monthrange(year, month)[1]:
        return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC).strftime(_FORMAT)
    moment = datetime.strptime(timestamp, _FORMAT).replace(tzinfo=UTC)
    return (moment + timedelta(seconds=1)).strftime(_FORMAT)


LeadingNumber = tuple[int, ...]

_LEADING_NUMBER = re.compile(r"(?:V(?=\d))?(\d+(?:[._]\d+)*)(?=[_.\s-]|$)", re.IGNORECASE)
"""The number at the start of a file name or of another tool's version: 003, V1, V1_2, 1.2."""


def read_leading_number(name: str) -> LeadingNumber | None:
    """Return the number that a name begins with: (3,) of 003_x, (1, 2) of V1_2__x; zeros at the end are ignored."""
    match = _LEADING_NUMBER.match(name)
    if match is None:
        return None
    digits = match[1]
    if not name[:1].isdigit() or "." in digits:
        parts = [int(part) for part in re.split("[._]", digits)]
    else:
        parts = [int(digits.partition("_")[0])]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)
