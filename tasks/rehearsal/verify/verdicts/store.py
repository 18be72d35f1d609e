"""The file that keeps verdicts: in the cache folder of the account, so that no checkout, and no pull request, can bring one.

A verdict is kept with its digest. A file that is damaged, or that others can write, counts as empty, and is written again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.rehearsal.events import MigrationVerified, RehearsalFinding
from tasks.rehearsal.kept.account_files import find_folder, read_own, write_own
from tasks.rehearsal.kept.code import digest
from tasks.runner.events import from_json, to_json

_MOST = 4096
"""The verdicts that are kept; those of the last command before older ones."""
_FIELDS = 3
"""The event, the stand-ins, and the digest of both with the name."""
_PASSING = frozenset({"08", "28", "53", "54", "55", "57", "58", "XX"})
"""The classes of errors that have to do with the moment, not with the file: of the connection, resources, locks, the system.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_CONFLICTS = frozenset({"40001", "40P01"})


def find_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the file in the cache folder of the account; None where there is no such folder."""
    folder = find_folder(environ, "verified")
    return folder / "verdicts.json" if folder else None


def is_lasting(verdict: MigrationVerified) -> bool:
    """Return True if a verdict would be the same at any other time: no error in it has to do with the moment."""
    return all(_is_lasting(finding) for finding in verdict.findings)


def _is_lasting(finding: RehearsalFinding) -> bool:
    if finding.error is None:
        return True
    state = finding.error.sqlstate
    return bool(state) and state[:2] not in _PASSING and state not in _CONFLICTS


@dataclass(frozen=True, slots=True)
class KeptVerdict:
    """The result of verifying a migration, and the stand-ins of extensions that the command used."""

    event: MigrationVerified
    stand_ins: tuple[str, ...] = ()


class VerdictStore:
    """Verdicts by their names, read from a file once; `save` writes those that were used or added, and then older ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old = _read_entries(path)
        self._used: dict[str, list[str]] = {}
        self._new: dict[str, MigrationVerified] = {}

    def find(self, name: str) -> KeptVerdict | None:
        """Return the verdict of this name; None if there is none, or if it is damaged."""
        entry = self._old.get(name)
        if entry is None or entry[-1] != digest((name, *entry[:-1])):
            return None
        text, stand_ins, _ = entry
        try:
            event = from_json(text)
        except ValueError:
            return None
        if not isinstance(event, MigrationVerified) or not is_lasting(event):
            return None
        self._used[name] = entry
        return KeptVerdict(event, tuple(stand_ins.split()))

    def add(self, name: str, event: MigrationVerified) -> None:
        """Keep a result, unless it may be another one at another time."""
        if is_lasting(event):
            self._new[name] = event

    def save(self, stand_ins: Iterable[str]) -> None:
        """Write the file; what cannot be written costs time at the next command, and nothing else.

        `stand_ins` are those that the command used.
        """
        names = " ".join(stand_ins)
        texts = {name: to_json(event) for name, event in self._new.items()}
        new = {name: [text, names, digest((name, text, names))] for name, text in texts.items()}
        entries = dict(list((self._used | new | self._old | new).items())[:_MOST])
        write_own(self._path, json.dumps(entries))


def _read_entries(path: Path) -> dict[str, list[str]]:
    """Return the entries of a file that only this account can write; none of any other file."""
    try:
        entries = json.loads(read_own(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if _is_entry(entry)}


def _is_entry(entry: object) -> bool:
    return isinstance(entry, list) and len(entry) == _FIELDS and all(isinstance(each, str) for each in entry)
