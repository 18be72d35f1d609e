"""The safe migration for a finding: the files that replace a pending file, with the author's own names."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.lint.model import LintContext, LintFinding, Rewrite, SafeFile
from tasks.lint.rewriting.files import rewrite_file
from tasks.lint.rewriting.steps import NotRewritableError
from tasks.lint.rules import RULES

__all__ = ["REWRITES", "NotRewritableError", "rewrite_file", "rewrite_finding"]


def rewrite_finding(context: LintContext, finding: LintFinding) -> tuple[SafeFile, ...]:
    """Return the files that replace the file of a finding, or nothing if there is no safe form."""
    try:
        return rewrite_file(context, [finding])
    except NotRewritableError:
        return ()


REWRITES: Mapping[str, Rewrite] = {rule.name: rewrite_finding for rule in RULES}
"""For each rule, the function that writes the safe migration."""
