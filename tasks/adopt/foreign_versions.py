"""Which migrations the rows of another tool's record mean: by name, by old name, by timestamp, by number. Pure."""

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
    """Say that a row means a version, and by what that was seen."""

    version: str
    row: LedgerRow
    by: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Name a row that means no version here, and why not."""

    row: LedgerRow
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """Hold the versions that a record means, in the order of their names, and the rows that mean none."""

    matched: tuple[Match, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()


def map_versions(ledger: OtherLedger, versions: Iterable[str], renames: Mapping[str, str]) -> Mapped:
    """Find the version that each row means; `renames` gives the version of each old name.

    A row that did not succeed means none. Where one row stands for everything up to it, the versions before it match as well.
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
                unmatched.append(Unmatched(row, by if row.ok else f"{ledger.tool.name} does not count it as applied"))
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
            unmatched.append(Unmatched(row, f"{ledger.tool.name} left it half done (dirty)"))
    return Mapped(tuple(matched[version] for version in sorted(matched)), tuple(unmatched))


class _Index:
    """Find versions by what other tools may call them."""

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
        self._strangers = frozenset(renames.values()) - numbered

    def find(self, row: LedgerRow) -> tuple[str, str]:
        """Give the version that a row means and by what that was seen, or an empty one and why there is none."""
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
        """List the versions up to one, which is included, without those whose old names had no number."""
        return tuple(each for each in self._versions if each <= version and each not in self._strangers)

    def _find_number(self, row: LedgerRow) -> tuple[str, str]:
        number = read_leading_number(row.version)
        olds = self._numbers.get(number, []) if number is not None else []
        found = sorted({self._names[old] for old in olds})
        if len(found) == 1:
            return found[0], f"number of {olds[0]}"
        if found:
            return "", f"{row.version} is the number of several files: {', '.join(sorted(olds))}"
        return "", "no file here has this name, timestamp or number, nor had it before (renames.toml)"


def _explain_hash(ledger: OtherLedger) -> str:
    return (
        f"{ledger.tool.name} records the newest revision alone, by a hash that has no order; name the version that it means in "
        "renames.toml, or let the schema tell"
    )


def describe_matches(other: OtherLedger, matches: Iterable[Match]) -> tuple[Adoption, ...]:
    """Turn what another tool's rows mean into what is to be recorded. Pure."""
    table = f"{other.schema}.{other.tool.table}"
    return tuple(
        Adoption(match.version, f"{other.tool.name}: {table} has {match.row.version} ({match.by})", match.row.applied_at)
        for match in matches
    )
