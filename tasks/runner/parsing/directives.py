"""Directives: comments of the form `-- migrate: …` before the first statement of a file, and the mark of an unwritten one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.postgres.tokens import COMMENTS, SPACE, tokenize
from tasks.runner.parsing.source_text import SqlText
from tasks.runner.spelling import nearest, propose

UNWRITTEN = "NOT WRITTEN YET"
"""The words that begin a comment in a new file whose statements are still to be written."""

_UNWRITTEN = re.compile(rf"(?:--|/\*)\s*{UNWRITTEN}\b")
_DIRECTIVE = re.compile(r"--\s*migrate\s*:\s*(.*?)\s*$", re.IGNORECASE)
_MISSPELT = re.compile(r"--\s*(\w+)\s*:?\s*(no[-_ ]?transactions?|after[-_ ]?deploy(?:ment)?)\s*", re.IGNORECASE)
"""A comment that means a directive, without the colon or with another word before it."""
_IRREVERSIBLE = re.compile(r"irreversible(?![\w-])[\s:,–—-]*(.*)", re.IGNORECASE)
_EXAMPLE = "-- migrate: irreversible the dropped data is gone"
_NO_TRANSACTION = "no-transaction"
AFTER_DEPLOY = "after-deploy"
"""The directive of a migration that runs when the application of before is gone."""
_SWITCHES = (_NO_TRANSACTION, AFTER_DEPLOY)
"""The directives without a value."""
_NAMES = (*_SWITCHES, "irreversible")
_KNOWN = (
    "-- migrate: no-transaction (each statement commits separately)\n"
    "-- migrate: irreversible REASON (a down file without statements: the migration cannot be rolled back)\n"
    f"-- migrate: {AFTER_DEPLOY} (it runs when the application of before is gone; --before-deploy leaves it pending)"
)
_DBMATE = "It is a mark of dbmate, which inv db.cleanup-legacy replaces."


@dataclass(frozen=True, slots=True)
class Header:
    """The directives of a file; `irreversible` is the reason, and `at` the offset of that directive."""

    no_transaction: bool = False
    irreversible: str | None = None
    at: int = 0
    after_deploy: bool = False


def may_have_directives(lowered: str) -> bool:
    """Return False if a text in lower case contains no directive and no misspelt one, so that it need not be read for them."""
    return "migrate" in lowered or _MISSPELT.search(lowered) is not None


def read_header(sql: SqlText) -> Header:
    """Read the directives; raises ScriptError for one that is unknown, lacks its reason, or follows a statement."""
    switches, irreversible, at = set[str](), None, 0
    in_head = True
    for token in tokenize(sql.text, skip=SPACE):
        if token.kind not in COMMENTS:
            in_head = False
            continue
        match = _DIRECTIVE.match(token.text)
        if match is None:
            if in_head:
                _refuse_misspelt(sql, token.start, token.text)
            continue
        name = match.group(1)
        reason = _IRREVERSIBLE.fullmatch(name)
        known = name.lower() in _SWITCHES or reason is not None
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
            switches.add(name.lower())
        else:
            hint = _DBMATE if re.match(r"(up|down)\b", name) else _propose_directive(name)
            raise sql.error(token.start, f"unknown directive {name!r}", hint=hint)
    return Header(_NO_TRANSACTION in switches, irreversible, at, AFTER_DEPLOY in switches)


def _refuse_misspelt(sql: SqlText, at: int, comment: str) -> None:
    """Raise ScriptError for a comment that would be ignored, although it means a directive."""
    match = _MISSPELT.fullmatch(comment)
    if match is not None and nearest(match[1], ["migrate"]):
        meant = AFTER_DEPLOY if match[2].lower().startswith("after") else _NO_TRANSACTION
        raise sql.error(at, f"{comment.rstrip()!r} is not a directive", hint=f"Did you mean -- migrate: {meant}?")


def _propose_directive(name: str) -> str:
    """Return the hint for an unknown directive: the nearest one, with another word's separator, and all of them."""
    meant = propose(re.sub(r"[\s_]", "-", name), _NAMES) or propose(name.partition(" ")[0], _NAMES)
    return "\n".join(filter(None, (meant, f"The directives are:\n{_KNOWN}")))


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
