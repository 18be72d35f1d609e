"""Directives: comments of the form `-- migrate: …` before the first statement of a file, and the mark of an unwritten one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.postgres.tokens import COMMENTS, SPACE, tokenize
from tasks.runner.parsing.source_text import SqlText

UNWRITTEN = "NOT WRITTEN YET"
"""The words that begin a comment in a new file whose statements are still to be written."""

_UNWRITTEN = re.compile(rf"(?:--|/\*)\s*{UNWRITTEN}\b")
_DIRECTIVE = re.compile(r"--\s*migrate\s*:\s*(.*?)\s*$", re.IGNORECASE)
_IRREVERSIBLE = re.compile(r"irreversible(?![\w-])[\s:,–—-]*(.*)", re.IGNORECASE)
_EXAMPLE = "-- migrate: irreversible the dropped data is gone"
_KNOWN = (
    "-- migrate: no-transaction (each statement commits separately)\n"
    "-- migrate: irreversible REASON (a down file without statements: the migration cannot be rolled back)"
)
_DBMATE = "It is a mark of dbmate, which inv db.cleanup-legacy replaces."


@dataclass(frozen=True, slots=True)
class Header:
    """The directives of a file; `irreversible` is the reason, and `at` the offset of that directive."""

    no_transaction: bool = False
    irreversible: str | None = None
    at: int = 0


def read_header(sql: SqlText) -> Header:
    """Read the directives; raises ScriptError for one that is unknown, lacks its reason, or follows a statement."""
    no_transaction, irreversible, at = False, None, 0
    in_head = True
    for token in tokenize(sql.text, skip=SPACE):
        if token.kind not in COMMENTS:
            in_head = False
            continue
        match = _DIRECTIVE.match(token.text)
        if match is None:
            continue
        name = match.group(1)
        reason = _IRREVERSIBLE.fullmatch(name)
        known = name.lower() == "no-transaction" or reason is not None
        if not in_head:
            if known:
                raise sql.error(
                    token.start,
                    f"the directive {name!r} comes after a statement",
                    hint="Move it to the top of the file.",
                )
        elif reason is not None:
            irreversible, at = reason.group(1), token.start
            if not irreversible:
                raise sql.error(at, "the directive irreversible needs a reason", hint=_EXAMPLE)
        elif known:
            no_transaction = True
        else:
            hint = _DBMATE if re.match(r"(up|down)\b", name) else f"The directives are:\n{_KNOWN}"
            raise sql.error(token.start, f"unknown directive {name!r}", hint=hint)
    return Header(no_transaction, irreversible, at)


def refuse_unwritten(sql: SqlText) -> None:
    """Raise ScriptError for a file that still has the mark of a new one."""
    for token in tokenize(sql.text, skip=SPACE):
        if token.kind in COMMENTS and _UNWRITTEN.match(token.text):
            raise sql.error(
                token.start,
                f"the file is not written yet: it still has the line {UNWRITTEN}",
                hint="Write its statements and delete this line, or only delete the line if there is nothing to do.\n"
                "In a down file, if it cannot be rolled back:\n-- migrate: irreversible REASON",
            )
