"""Stored texts of which the log does not show that they are the ones that were applied: they run after a confirmation only."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.runner.errors import RefusedError
from tasks.runner.events import Finding

UNVERIFIED = "unverified"
"""The kind of the finding about such a text."""

_RESTORE = "Restore the down file from git: then it runs instead"


def describe_unverified(version: str, reason: str) -> Finding:
    """Return the finding about a stored down text that runs after a confirmation only."""
    message = f"has no down file, and it is not known whether the stored text is the one that was applied: {reason}"
    return Finding(UNVERIFIED, version, message, hint=f"{_RESTORE}. Or check the stored text, and confirm it.")


def list_unverified(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the versions whose stored text needs a confirmation."""
    return tuple(finding.version for finding in findings if finding.kind == UNVERIFIED)


def build_unverified_error(versions: Iterable[str]) -> RefusedError:
    """Return the error for stored texts that need a confirmation where no question can be asked."""
    return RefusedError(
        f"the stored down text of {', '.join(versions)} needs a confirmation, and the question cannot be asked here: "
        "it is not known whether it is the text that was applied",
        hint=f"{_RESTORE}.\nOr check it with --dry-run, then run exactly that plan (--plan=ID) or confirm it (--yes).",
        state="Nothing was changed.",
    )
