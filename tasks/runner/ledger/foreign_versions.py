"""Match the rows of another tool's version table with migrations: by name, old name, timestamp or number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.runner.files.versions import read_leading_number
from tasks.runner.ledger.renames import strip_ending
from tasks.runner.ledger.squashes import resolve_squashes
from tasks.runner.ledger.takeover import Adoption

if TYPE_CHECKING:
    from tasks.runner.files.versions import LeadingNumber
    from tasks.runner.ledger.foreign import LedgerRow, OtherLedger
    from tasks.runner.ledger.renames import Renames

_TIMESTAMP_LENGTH = 14
_TIMESTAMP = re.compile(r"\d{14}(?!\d)")


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
    """The matches of a version table, ordered by version, and the rows that match none.

    `partial`: the squashes of which the table has only a part, with the versions that are present and absent.
    """

    matched: tuple[Match, ...] = ()
    unmatched: tuple[Unmatched, ...] = ()
    partial: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Found:
    """The version that a row matches and by what, or why there is none; `part`: the version before that was squashed."""

    version: str
    by: str
    part: str = ""


def map_versions(ledger: OtherLedger, versions: Iterable[str], renames: Renames) -> Mapped:
    """Return the version that each row matches.

    A baseline matches all versions up to it. A row that did not succeed matches none, and neither does one for a part of a squash
    of which other parts are absent. If the tool records only the newest version, all versions before it match as well.
    """
    index = _Index(tuple(sorted(versions)), renames)
    unmatched: list[Unmatched] = []
    succeeded = {row.version for row in ledger.rows if row.ok}
    baselines = [(row, each) for row in ledger.rows if row.ok and row.baseline for each in index.find_up_to(row.version)]
    found = [(row, index.find(row)) for row in ledger.rows if not row.baseline]
    parts = {each.part for row, each in found if row.ok and each.part}
    if ledger.tool.cumulative and parts:
        parts = {part for part in renames.parts.values() if part <= max(parts)}
    squashed = resolve_squashes(parts | {each.part for _, each in baselines if each.part}, renames.squashed)
    whole = [(row, each) for row, each in baselines if not each.part or each.part in squashed.complete]
    matched = {each.version: Match(each.version, row, each.by) for row, each in whole}
    for row, each in found:
        version = each.version
        if each.part and row.ok and each.part not in squashed.complete:
            unmatched.append(Unmatched(row, f"{version} replaced it and others, which {ledger.tool.name} did not record"))
        elif not ledger.tool.cumulative:
            if row.ok and version:
                matched[version] = Match(version, row, each.by)
            elif row.ok or row.version not in succeeded:
                unmatched.append(Unmatched(row, each.by if row.ok else f"{ledger.tool.name} did not record it as applied"))
        elif not version:
            unmatched.append(Unmatched(row, each.by if ledger.tool.ordered else _explain_hash(ledger)))
        else:
            for before in index.up_to(version):
                matched.setdefault(before, Match(before, row, f"is not after {row.version}"))
            if row.ok:
                matched[version] = Match(version, row, each.by)
            else:
                matched.pop(version, None)
                unmatched.append(Unmatched(row, f"{ledger.tool.name} left it half applied (dirty)"))
    return Mapped(tuple(matched[version] for version in sorted(matched)), tuple(unmatched), squashed.partial)


class _Index:
    """An index of versions by the names that other tools may use for them."""

    def __init__(self, versions: tuple[str, ...], renames: Renames) -> None:
        known = {strip_ending(old): version for old, version in renames.versions.items()}
        self._versions = versions
        self._parts = renames.parts
        self._names = {**{version: version for version in versions}, **known}
        timed = [old for old in known if _TIMESTAMP.match(old)]
        self._timestamps = {old[:_TIMESTAMP_LENGTH]: old for old in timed}
        self._timestamps |= {version[:_TIMESTAMP_LENGTH]: version for version in versions}
        # A squash has the timestamp of its last part.
        self._timestamps |= {old[:_TIMESTAMP_LENGTH]: old for old in timed if old in renames.parts}
        self._numbers: dict[LeadingNumber, list[str]] = {}
        for old in known:
            number = read_leading_number(old)
            if number is not None:
                self._numbers.setdefault(number, []).append(old)

        numbered = {known[old] for olds in self._numbers.values() for old in olds}
        self._unnumbered = frozenset(known.values()) - numbered

    def find(self, row: LedgerRow) -> _Found:
        """Return the version that a row matches."""
        for name in dict.fromkeys(strip_ending(text) for text in (row.name, row.version) if text):
            if name in self._names:
                return self._describe(name, "name" if self._names[name] == name else f"old name {name}")
        digits = re.match(r"\d+", row.version)
        named = self._timestamps.get(digits[0][:_TIMESTAMP_LENGTH]) if digits else None
        return self._describe(named, "timestamp") if named else self._find_number(row)

    def _describe(self, name: str, by: str) -> _Found:
        return _Found(self._names[name], by, self._parts.get(name, ""))

    def up_to(self, version: str) -> tuple[str, ...]:
        """Return the versions up to and including one, without those whose old names had no number."""
        return tuple(each for each in self._versions if each <= version and each not in self._unnumbered)

    def find_up_to(self, baseline: str) -> tuple[_Found, ...]:
        """Return the versions whose numbers, or whose timestamps if their old names had no number, are not after a baseline."""
        last = read_leading_number(baseline)
        if last is None:
            return ()
        numbers = {old: number for number, olds in self._numbers.items() for old in olds}
        numbered = {self._names[old] for old in numbers}
        for version in self._versions:
            number = read_leading_number(version)
            if number is not None and version not in numbered:
                numbers[version] = number
        by = f"not after the baseline {baseline}"
        return tuple(self._describe(old, by) for old, number in sorted(numbers.items()) if number <= last)

    def _find_number(self, row: LedgerRow) -> _Found:
        number = read_leading_number(row.version)
        olds = self._numbers.get(number, []) if number is not None else []
        found = sorted({self._names[old] for old in olds})
        if len(found) == 1:
            return self._describe(olds[0], f"number of {olds[0]}")
        if found:
            return _Found("", f"{row.version} is the number of several files: {', '.join(sorted(olds))}")
        return _Found("", "no file has, or had (renames.toml), this name, timestamp or number")


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
