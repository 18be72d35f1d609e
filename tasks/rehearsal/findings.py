"""Findings, built from errors and from differences of schemas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.catalog import COLUMN_ORDER, Difference, show_difference, write_difference
from tasks.rehearsal.events import RehearsalFinding
from tasks.rehearsal.lacks import NotChecked, compose_ways, join_lacks
from tasks.runner.errors import RunnerError, describe_error


def find_error(what: str, message: str, error: RunnerError, url: str) -> RehearsalFinding:
    """Return a finding for an error, without the password of `url`."""
    return RehearsalFinding(what, message, error=describe_error(error, url))


def find_lacks(lacking: Sequence[NotChecked], version: int, *, embedded: bool) -> Iterator[RehearsalFinding]:
    """Yield a finding if statements could not be checked because of what the scratch server of a version lacks."""
    lacks = list(dict.fromkeys(each.lack for each in lacking))
    if lacks:
        message = f"not checked completely: the scratch server does not have {join_lacks(lacks)}"
        yield RehearsalFinding("not_checked", message, hint=compose_ways(lacks, version, embedded=embedded))


def find_changes(what: str, message: str, difference: Difference, *, hint: str = "") -> Iterator[RehearsalFinding]:
    """Yield findings for the difference of two schemas that should be equal; column order is a mild finding of its own."""
    order = difference.only({COLUMN_ORDER})
    rest = difference.without({COLUMN_ORDER})
    if rest:
        yield _describe(RehearsalFinding(what, message, hint=hint), rest)
    if order:
        yield _describe(RehearsalFinding(what, f"{message} (column order only)", mild=True), order)


def counts(finding: RehearsalFinding) -> bool:
    """Return True if a finding makes the command exit with code 4."""
    return not finding.mild


def _describe(finding: RehearsalFinding, difference: Difference) -> RehearsalFinding:
    diff = tuple(show_difference(difference))
    changes = tuple(write_difference(difference))
    return RehearsalFinding(finding.what, finding.message, finding.mild, finding.hint, diff=diff, changes=changes)
