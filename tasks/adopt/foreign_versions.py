"""Match the rows of another tool's version table with migrations: by name, old name, timestamp or number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tasks.runner.files.versions import LeadingNumber, read_leading_number
from tasks.runner.ledger.foreign import LedgerRow, OtherLedger
from tasks.runner.ledger.renames import strip_ending
from tasks.runner.ledger.takeover import Adoption

_TIMESTAMP_LENGTH = 14


@dataclass(frozen=True, slots=True)
class Match:
    """A row that matches a version, and by what it matched."""

    version: str
    row: LedgerRow
    by: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A row that matches no version, and why."""

    row: LedgerRow
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """The matches of a version table, ordered by version, and the rows that match none."""

    matched: tuple[Match, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()


def map_versions(ledger: OtherLedger, versions: Iterable[str], renames: Mapping[str, str]) -> Mapped:
    """Return the version that each row matches; `renames` maps old names to versions.

    A row that did not succeed matches none. If the tool records only the newest version, all versions before it match as well.
    """
    index = _Index(tuple(sorted(versions)), {strip_ending(old): version for old, version in renames.items()})
    matched: dict[str, Match] = {}
    unmatched: list[Unmatched] = []
    succeeded = {row.version for row in ledger.rows if row.ok}
    for row in ledger.rows:
        found, by = index.find(row)
        if not ledger.tool.cumulative:
            if row.ok and found:
                matched[found] = Match(found, row, by)
            elif row.ok or row.version not in succeeded:
                unmatched.append(Unmatched(row, by if row.ok else f"{ledger.tool.name} did not record it as applied"))
            continue
        if not found:
            unmatched.append(Unmatched(row, by if ledger.tool.ordered else _explain_hash(ledger)))
            continue
        for version in index.up_to(found):
            matched.setdefault(version, Match(version, row, f"is not after {row.version}"))
        if row.ok:
            matched[found] = Match(found, row, by)
        else:
            matched.pop(found, None)
            unmatched.append(Unmatched(row, f"{ledger.tool.name} left it half applied (dirty)"))
    return Mapped(tuple(matched[version] for version in sorted(matched)), tuple(unmatched))


class _Index:
    """An index of versions by the names that other tools may use for them."""

    def __init__(self, versions: tuple[str, ...], renames: Mapping[str, str]) -> None:
        self._versions = versions
        self._names = {**{version: version for version in versions}, **renames}
        self._timestamps = {version[:_TIMESTAMP_LENGTH]: version for version in versions}
        self._numbers: dict[LeadingNumber, list[str]] = {}
        for old in renames:
            number = read_leading_number(old)
            if number is not None:
                self._numbers.setdefault(number, []).append(old)

        numbered = {renames[old] for olds in self._numbers.values() for old in olds}
        self._unnumbered = frozenset(renames.values()) - numbered

    def find(self, row: LedgerRow) -> tuple[str, str]:
        """Return the version that a row matches and by what, or an empty text and why there is none."""
        for name in dict.fromkeys(strip_ending(text) for text in (row.name, row.version) if text):
            if name in self._names:
                version = self._names[name]
                return version, "name" if version == name else f"old name {name}"
        digits = re.match(r"\d+", row.version)
        timestamp = self._timestamps.get(digits[0][:_TIMESTAMP_LENGTH]) if digits else None
        if timestamp:
            return timestamp, "timestamp"
        return self._find_number(row)

    def up_to(self, version: str) -> tuple[str, ...]:
        """Return the versions up to and including one, without those whose old names had no number."""
        return tuple(each for each in self._versions if each <= version and each not in self._unnumbered)

    def _find_number(self, row: LedgerRow) -> tuple[str, str]:
        number = read_leading_number(row.version)
        olds = self._numbers.get(number, []) if number is not None else []
        found = sorted({self._names[old] for old in olds})
        if len(found) == 1:
            return found[0], f"number of {olds[0]}"
        if found:
            return "", f"{row.version} is the number of several files: {', '.join(sorted(olds))}"
        return "", "no file has, or had (renames.toml), this name, timestamp or number"


def _explain_hash(ledger: OtherLedger) -> str:
    return (
        f"{ledger.tool.name} recorded only its newest revision, by a hash without an order; name the version that it matches in "
        "renames.toml, or let the schema decide"
    )


def describe_matches(other: OtherLedger, matches: Iterable[Match]) -> tuple[Adoption, ...]:
    """Return the adoptions for the matches of another tool's rows."""
    table = f"{other.schema}.{other.tool.table}"
    return tuple(
        Adoption(match.version, f"{other.tool.name}: {table} has {match.row.version} ({match.by})", match.row.applied_at)
        for match in matches
    )
