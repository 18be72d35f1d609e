"""Making findings of errors and differences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.catalog import COLUMN_ORDER, Difference, show_difference, write_difference
from tasks.rehearsal.events import Found
from tasks.runner.errors import RunnerError, describe_error


def find_error(what: str, message: str, error: RunnerError, url: str) -> Found:
    """Make a finding of an error, without the password of `url`."""
    return Found(what, message, error=describe_error(error, url))


def find_changes(what: str, message: str, difference: Difference, *, hint: str = "") -> Iterator[Found]:
    """Make findings of the difference of two schemas that should be equal: the order of columns is one of its own, a mild one."""
    order = difference.only({COLUMN_ORDER})
    rest = difference.without({COLUMN_ORDER})
    if rest:
        yield _describe(Found(what, message, hint=hint), rest)
    if order:
        yield _describe(Found(what, f"{message}, in the order of columns", mild=True), order)


def counts(found: Found) -> bool:
    """Tell whether a finding is one to end with exit code 4 for."""
    return not found.mild


def _describe(found: Found, difference: Difference) -> Found:
    diff = tuple(show_difference(difference))
    return Found(found.what, found.message, found.mild, found.hint, diff=diff, changes=tuple(write_difference(difference)))
