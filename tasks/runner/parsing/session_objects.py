"""What a statement leaves in its session, and later segments use: lost when a run resumes in another session, or behind a pooler.

https://www.postgresql.org/docs/current/sql-createtable.html (TEMPORARY), https://www.postgresql.org/docs/current/sql-prepare.html,
https://www.postgresql.org/docs/current/sql-declare.html (WITH HOLD), https://www.postgresql.org/docs/current/sql-listen.html,
https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS.
Settings are not among it: a run that resumes repeats them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tasks.postgres.tokens import BLANKS, NAMES, STRINGS, Token, read_string, tokenize
from tasks.runner.parsing.script import Segment, Statement

_TEMPORARY = frozenset({"temp", "temporary"})
_KINDS = frozenset({"table", "view", "sequence"})
_LOCKS = frozenset(f"pg_{attempt}advisory_lock{shared}" for attempt in ("", "try_") for shared in ("", "_shared"))
_FILLERS = frozenset({"if", "not", "exists", "table", "unlogged", "recursive", "."})


@dataclass(frozen=True, slots=True)
class SessionNeed:
    """Something that the statement on `line` leaves in its session, and that the statement on `used` of a later segment needs."""

    line: int
    what: str
    used: int


def find_session_needs(segments: tuple[Segment, ...]) -> tuple[SessionNeed, ...]:
    """Return what later segments need of the session of earlier ones."""
    found = []
    for index, segment in enumerate(segments):
        later = [statement for each in segments[index + 1 :] for statement in each.statements]
        for statement in segment.statements if later else ():
            for what, name in _list_left(statement):
                user = next((each for each in later if not name or name in _read_words(each)), None)
                if user is not None:
                    found.append(SessionNeed(statement.line, what, user.line))
    return tuple(found)


def _list_left(statement: Statement) -> Iterator[tuple[str, str]]:
    """Yield what a statement leaves in its session, and the name by which others use it; an empty name means all that follow."""
    tokens = list(tokenize(statement.text, skip=BLANKS))
    words = [token.text.lower() for token in tokens]
    if words[:1] == ["prepare"] and words[1:2] != ["transaction"]:
        yield f"the prepared statement {tokens[1].text}", _bare(tokens[1])
    elif words[:1] == ["listen"]:
        yield f"LISTEN {tokens[1].text}", ""
    elif words[:1] == ["declare"] and ("with", "hold") in pairwise(words):
        yield f"the cursor {tokens[1].text}", _bare(tokens[1])
    else:
        yield from _list_temporary(tokens, words)
    if not _LOCKS.isdisjoint(words):
        yield "a session-level advisory lock", ""


def _list_temporary(tokens: list[Token], words: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the temporary tables, views and sequences that a statement, or a block in it, creates."""
    for at, word in enumerate(words):
        created = "create" in words[max(at - 4, 0) : at] or words[at - 1 : at] == ["into"]
        if word in _TEMPORARY and created:
            name = next((token for token in tokens[at + 1 :] if token.text.lower() not in (*_KINDS, *_FILLERS)), None)
        elif word == "pg_temp" and words[at + 1 : at + 2] == ["."] and "create" in words[max(at - 6, 0) : at]:
            name = tokens[at + 2] if at + 2 < len(tokens) else None
        else:
            continue
        if name is not None and name.text.lower() != "pg_temp":
            yield f"the temporary table {name.text}", _bare(name)
    if words[:1] == ["do"]:
        for token in tokens:
            if token.kind in STRINGS:
                inner = list(tokenize(read_string(token), skip=BLANKS))
                yield from _list_temporary(inner, [each.text.lower() for each in inner])


def _read_words(statement: Statement) -> set[str]:
    """Return the names in a statement, and the words in its strings, which may be code."""
    words = set()
    for token in tokenize(statement.text, skip=BLANKS):
        if token.kind in NAMES:
            words.add(_bare(token))
        elif token.kind in STRINGS:
            words |= {_bare(each) for each in tokenize(read_string(token), skip=BLANKS) if each.kind in NAMES}
    return words


def _bare(token: Token) -> str:
    return token.text.strip('"') if token.kind == "identifier" else token.text.lower()
