"""The comments that ignore a finding: which findings they cover, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from tasks.lint.model import IgnoreComment, LintedFile, LintFinding
from tasks.lint.rules import OFF
from tasks.lint.rules.table import RULE_NAMES
from tasks.runner.spelling import propose

IGNORE_RULES = {
    "ignore-without-reason": "A comment that ignores a rule has no effect without a reason: the next reader needs it.",
    "unknown-rule": "A comment that ignores a rule which does not exist ignores nothing.",
    "unused-ignore": "A comment that ignores nothing hides the next finding of that rule.",
}
"""What can be wrong with a comment that ignores a rule, and why it is a finding. These cannot be ignored."""


def is_ignored(file: LintedFile, finding: LintFinding) -> bool:
    """Return True if a comment with a reason ignores a finding."""
    return any(bool(comment.reason) and covers(file, comment, finding) for comment in file.ignores)


def covers(file: LintedFile, comment: IgnoreComment, finding: LintFinding) -> bool:
    """Return True if a comment names the rule of a finding and is above its line, or above its statement.

    For a finding about the whole file, it is above the first statement.
    """
    if comment.rule != finding.rule or not comment.target:
        return False
    if finding.statement:
        return comment.target in (finding.line, file.statements[finding.statement - 1].line)
    return not file.statements or comment.target <= file.statements[0].line


def find_faults(file: LintedFile, raw: Sequence[LintFinding], unchecked: Collection[str]) -> Iterator[LintFinding]:
    """Yield what is wrong with the comments of a file; `raw` are its findings, `unchecked` the rules that were not checked."""
    for comment in file.ignores:
        rule, message = _find_fault(file, comment, raw, unchecked)
        if rule:
            yield LintFinding(file.shown, comment.line, rule, message, file.version)


def _find_fault(
    file: LintedFile, comment: IgnoreComment, raw: Sequence[LintFinding], unchecked: Collection[str]
) -> tuple[str, str]:
    if comment.rule not in RULE_NAMES | OFF.keys():
        proposal = propose(comment.rule, sorted(RULE_NAMES))
        named = f"there is no rule {comment.rule!r}" if comment.rule else "the comment names no rule"
        return "unknown-rule", f"{named}; {proposal}" if proposal else named
    if not comment.reason:
        return "ignore-without-reason", f"the comment has no effect without a reason: -- lint: ignore {comment.rule} -- REASON"
    if comment.rule not in RULE_NAMES:
        return "unused-ignore", f"{comment.rule} is off: {OFF[comment.rule]}".removesuffix(".")
    if comment.rule in unchecked or any(covers(file, comment, finding) for finding in raw):
        return "", ""
    return "unused-ignore", f"{comment.rule} finds nothing in the statement below this comment: delete the comment"
