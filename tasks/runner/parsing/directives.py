"""Directives: comments of the form `-- migrate: …` in the head of a file, before its first statement."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.runner.parsing.lexer import cut
from tasks.runner.parsing.source_text import SqlText

_DIRECTIVE = re.compile(r"--\s*migrate\s*:\s*(.*?)\s*$", re.IGNORECASE)
_IRREVERSIBLE = re.compile(r"irreversible(?![\w-])[\s:,–—-]*(.*)", re.IGNORECASE)
_KNOWN = (
    "-- migrate: no-transaction (each statement stands alone)\n"
    "-- migrate: irreversible REASON (a down file that holds nothing else: there is no way back)"
)


@dataclass(frozen=True, slots=True)
class Header:
    """Hold what the directives of a file say; `irreversible` is the reason, and `at` where it was given."""

    no_transaction: bool = False
    irreversible: str | None = None
    at: int = 0


def read_header(sql: SqlText) -> Header:
    """Read the directives; raises ScriptError for one that is unknown, lacks its reason, or comes too late."""
    no_transaction, irreversible, at = False, None, 0
    in_head = True
    for token in cut(sql.text):
        if token.kind != "comment":
            in_head = False
            continue
        match = _DIRECTIVE.match(sql.text[token.start : token.end])
        if match is None:
            continue
        said = match.group(1)
        reason = _IRREVERSIBLE.fullmatch(said)
        known = said.lower() == "no-transaction" or reason is not None
        if not in_head:
            if known:
                raise sql.error(
                    token.start,
                    f"the directive {said!r} comes after a statement",
                    hint="Move it to the head of the file.",
                )
        elif reason is not None:
            irreversible, at = reason.group(1), token.start
            if not irreversible:
                raise sql.error(at, "irreversible without a reason", hint="-- migrate: irreversible the dropped data is gone")
        elif known:
            no_transaction = True
        else:
            raise sql.error(token.start, f"there is no directive {said!r}", hint=f"The directives are:\n{_KNOWN}")
    return Header(no_transaction, irreversible, at)
