"""Comments that ignore a finding of a lint, for statements of which no safe form is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.lint.model import LintedFile, LintFinding

UNUSED = "unused-ignore"


def add_ignores(file: LintedFile, findings: Sequence[LintFinding], reasons: Mapping[str, str]) -> str:
    """Return the text of a file with a comment for each finding above its statement, and without those that ignore nothing.

    `reasons` are those why there is no safe form, by the text of the statement.
    """
    lines = file.text.split("\n")
    unused = {finding.line for finding in findings if finding.rule == UNUSED}
    comments: dict[int, list[str]] = {}
    for finding in findings:
        if finding.rule != UNUSED and file.statements:
            statement = file.statements[max(finding.statement, 1) - 1]
            comment = f"-- lint: ignore {finding.rule} -- {explain(finding, reasons.get(statement.text, ''))}"
            found = comments.setdefault(statement.line, [])
            found += [] if comment in found else [comment]
    written = []
    for number, line in enumerate(lines, 1):
        written += comments.get(number, [])
        written += [] if number in unused else [line]
    return "\n".join(written)


def explain(finding: LintFinding, reason: str) -> str:
    """Return in one line what a finding is about, and why the statement is as it is."""
    return " ".join(f"{finding.message}{f' ({reason})' if reason else ''}".split())
