"""What differs from run to run in an output: replaced by what a page shows, or left out of a comparison."""

import re
from collections.abc import Sequence

PROJECT = "/home/ada/gaia"
"""The reader's checkout on the pages."""
ACTOR = "ada"

_SHOWN = (
    (re.compile(r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?"), "2025-12-01 09:30:00"),
    (re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d\b(?!:)"), "2025-12-01 09:30"),
    (re.compile(r"\brun [0-9a-f]{8}\b"), "run 5f0c1a7e"),
    (re.compile(r"(?<=--plan=)[0-9a-f]{12}\b"), "3f2a91c0d4e5"),
    (re.compile(r"\bpostgres:[0-9a-f]{32}@127\.0\.0\.1:\d{5}\b"), "postgres:8d0f3c6a9be24157@127.0.0.1:15432"),
    (re.compile(r"\b127\.0\.0\.1:\d{5}\b"), "127.0.0.1:15432"),
    (re.compile(r"(?<= )[0-9a-f]{8}$", re.MULTILINE), "5f0c1a7e"),
    (re.compile(r"\b[0-9a-f]{10}\b(?=\+changes| )"), "8c41d9e2f0"),
    (re.compile(rf"\b{ACTOR}@\S+"), f"{ACTOR}@laptop"),
)
"""Times, ids and the name of the machine; a page shows the same at each place."""

_IGNORED = (
    (re.compile(r"\b\d+ ms\b|\b\d+(?:\.\d+)? s\b"), "T"),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r" {2,}"), "  "),
)
"""Durations, and the widths of columns that depend on them."""
_WAITING = "⏳"
"""Begins the lines that are printed only if a run takes seconds, as on a busy machine."""
_VERSION = re.compile(r"\b20\d{12}(?=_)")


class Normaliser:
    """Replaces what differs from run to run; migrations that are made during a run get fixed timestamps, one after the other."""

    def __init__(self, root: str, known_versions: Sequence[str]) -> None:
        self._root = root
        self._timestamps = {version[:14]: version[:14] for version in known_versions}

    def show(self, output: str) -> tuple[str, ...]:
        """Return an output as a page shows it."""
        output = _VERSION.sub(self._show_timestamp, output.replace(self._root, PROJECT))
        for pattern, shown in _SHOWN:
            output = pattern.sub(shown, output)
        lines = [line.rstrip() for line in output.rstrip().splitlines()]
        return tuple(line for line in lines if not line.startswith(_WAITING))

    def _show_timestamp(self, match: re.Match[str]) -> str:
        made = sum(1 for real, shown in self._timestamps.items() if real != shown)
        return self._timestamps.setdefault(match[0], f"2025120109{30 + made}00")


def is_same(shown: Sequence[str], real: Sequence[str]) -> bool:
    """Return True if two outputs differ in durations only."""
    return [_ignore(line) for line in shown] == [_ignore(line) for line in real]


def _ignore(line: str) -> str:
    for pattern, replacement in _IGNORED:
        line = pattern.sub(replacement, line)
    return line.rstrip()
