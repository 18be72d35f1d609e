"""What to do about a query that a migration breaks, as a sentence with the next step."""

from __future__ import annotations

import re

from tasks.compat.blaming import Culprit
from tasks.compat.model import NO_ARBITER, NOT_NULL, QueryBreak

AFTER_DEPLOY = "-- migrate: after-deploy"
_REMOVES = re.compile(r"\b(?:drop|rename|set\s+schema)\b", re.IGNORECASE)
_REMOVING_KINDS = frozenset({"DropStmt", "RenameStmt", "AlterObjectSchemaStmt"})
_GONE = frozenset({"42P01", "42703", "42883", "42704", "3F000", "42P02"})
"""Undefined tables, columns, functions and objects: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def propose(found: QueryBreak, culprit: Culprit, *, alone: bool) -> str:
    """Return the next step; `alone` is whether the file has no other statement."""
    problem = found.problem
    if found.works_again:
        again = f"It works again after {found.works_again}."
        return f"{again} Put both changes into one file, so that they take effect in one transaction."
    if problem.sqlstate == NOT_NULL:
        return (
            "Add the column with a default, or without NOT NULL, and set NOT NULL in a later file, when the code that fills it"
            f" is deployed ({AFTER_DEPLOY})."
        )
    if problem.sqlstate == NO_ARBITER:
        return f"Keep the unique index until the code is deployed that does not need it. {_mark(alone=alone)}"
    if _removes(culprit) or problem.sqlstate in _GONE:
        return f"Deploy the code that does not use it first. {_mark(alone=alone)}"
    return (
        "Add a new column beside the old one, copy the values, deploy the code that uses the new one, and drop the old one in a"
        f" file with this line at its top: {AFTER_DEPLOY}"
    )


def _mark(*, alone: bool) -> str:
    if alone:
        return f"Put this line at the top of the file, so that it runs after the deployment: {AFTER_DEPLOY}"
    return (
        f"Move the statement to a file of its own with this line at its top, so that it runs after the deployment: {AFTER_DEPLOY}"
    )


def _removes(culprit: Culprit) -> bool:
    return culprit.kind in _REMOVING_KINDS or (culprit.kind == "AlterTableStmt" and _REMOVES.search(culprit.text) is not None)
