"""Directives: comments of the form `-- migrate: …` before the first statement of a file, and the mark of an unwritten one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.postgres.tokens import COMMENTS, SPACE, tokenize
from tasks.runner.events import AFTER_DEPLOY
from tasks.runner.parsing.source_text import ScriptError, SqlText
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
"""The directive of a migration that runs when the application of before is gone."""
_SWITCHES = (_NO_TRANSACTION, AFTER_DEPLOY)
"""The directives without a value."""
_LOCK_TIMEOUT = re.compile(r"lock[-_]timeout(?![\w-])[\s:=]*(.*)", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|min|h|d)?")
_UNITS_MS = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
"""The units of PostgreSQL; a number without one is in milliseconds.
https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES"""
_LONGEST_MS = 2**31 - 1
"""The largest lock_timeout. https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT"""
_NAMES = (*_SWITCHES, "irreversible", "lock-timeout")
_KNOWN = (
    "-- migrate: no-transaction (each statement commits separately)\n"
    "-- migrate: irreversible REASON (a down file without statements: the migration cannot be rolled back)\n"
    "-- migrate: lock-timeout 2s (how long a statement of this file waits for a lock)\n"
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
    lock_timeout_ms: int | None = None


def may_have_directives(lowered: str) -> bool:
    """Return False if a text in lower case contains no directive and no misspelt one, so that it need not be read for them."""
    return "migrate" in lowered or _MISSPELT.search(lowered) is not None


def read_header(sql: SqlText, *, in_head: bool = True) -> Header:
    """Read the directives of a text, which begins before the first statement of its file if it is `in_head`.

    Raises ScriptError for one that is unknown, lacks its reason, or follows a statement.
    """
    switches, irreversible, at, lock_timeout_ms = set[str](), None, 0, None
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
        timeout = _LOCK_TIMEOUT.fullmatch(name)
        known = name.lower() in _SWITCHES or reason is not None or timeout is not None
        if not in_head:
            if known:
                raise sql.error(
                    token.start,
                    f"the directive {name!r} comes after a statement",
                    hint="Move it to the top of the file.",
                )
        elif reason is not None:
            irreversible, at = _read_reason(sql, token.start, reason[1]), token.start
        elif timeout is not None:
            lock_timeout_ms = _read_lock_timeout(sql, token.start, timeout[1], lock_timeout_ms)
        elif known:
            switches.add(name.lower())
        else:
            raise _refuse_unknown(sql, token.start, name)
    return Header(_NO_TRANSACTION in switches, irreversible, at, AFTER_DEPLOY in switches, lock_timeout_ms)


def _read_reason(sql: SqlText, at: int, reason: str) -> str:
    if not reason:
        raise sql.error(at, "the directive irreversible needs a reason", hint=_EXAMPLE)
    return reason


def _refuse_unknown(sql: SqlText, at: int, name: str) -> ScriptError:
    hint = _DBMATE if re.match(r"(up|down)\b", name) else _propose_directive(name)
    return sql.error(at, f"unknown directive {name!r}", hint=hint)


def _read_lock_timeout(sql: SqlText, at: int, text: str, before: int | None) -> int:
    """Return a lock_timeout in milliseconds; raises ScriptError for 0 (no limit), another text, or a second one."""
    if before is not None:
        raise sql.error(at, "the directive lock-timeout is repeated", hint="Keep one of them: it is for the whole file.")
    match = _DURATION.fullmatch(text.strip("'"))
    milliseconds = round(float(match[1]) * _UNITS_MS[match[2] or "ms"]) if match else 0
    if not 0 < milliseconds <= _LONGEST_MS:
        raise sql.error(
            at,
            f"the directive lock-timeout needs a duration (got {text or 'nothing'})",
            hint="Write a number with a unit of PostgreSQL (ms, s, min), from 1 ms to 24 days: -- migrate: lock-timeout 2s",
        )
    return milliseconds


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
