"""Findings: something about the files and the ledger that needs attention."""

from __future__ import annotations

from dataclasses import dataclass

AFTER_DEPLOY = "after-deploy"
"""The kind of a finding for a file that runs after the deployment of the application, and the directive that marks it."""
NOT_COMPARED = "not compared"
"""The kind of a finding for a schema of which it is not known whether it has drifted."""
NOT_KNOWN = "not known"
"""The kind of a finding for what the current user has no privilege to read."""
NO_PRIVILEGE = "not known: no privilege"
"""The reason for what is not known because the current user has no privilege to read it."""
NOT_WRITTEN = "not written"
"""The kind of a finding for a schema file that lacks what a script for psql applied, which writes no file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about the files and the ledger that needs attention.

    `kind` is one of late, edited, missing, renamed, partial (some versions of a squash), interrupted, loses rows, drifted, not
    compared, not known (no privilege), not written (of a schema file), redo (one that did not finish), edited down (the down
    file of a redo), both directions (of an up file with a down section), empty (no statement), encoding, invisible (a
    character), session (what later segments may lack), unverified (a stored text that needs a confirmation), not atomic (of a
    file that cannot be part of an atomic run) and opens the ledger (to other roles). A run is refused if one of its findings
    `refuses`.
    """

    kind: str
    version: str
    message: str
    refuses: bool = False
    hint: str = ""
    diff: str = ""
