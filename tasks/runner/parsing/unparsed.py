"""A text that the parser does not know: a mistake, or SQL of a newer server. Only the server can tell which.

What must not reach the server unseen is found by words alone: BEGIN and COMMIT, which would end the run's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.postgres.targets import Target
from tasks.runner.parsing.lexer import Token, cut
from tasks.runner.parsing.script import Script, Segment, Statement
from tasks.runner.parsing.source_text import SqlText, blank

_PLAIN_BEGINS = {("begin",), ("begin", "work"), ("begin", "transaction"), ("start", "transaction")}
_PLAIN_ENDS = {(verb, *more) for verb in ("commit", "end") for more in ((), ("work",), ("transaction",))}


@dataclass(frozen=True, slots=True)
class Complaint:
    """Hold what the parser said, and the character at which it stumbled."""

    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Border:
    """Name a statement that begins or ends a transaction."""

    words: tuple[str, ...]
    start: int
    end: int


def keep_whole(sql: SqlText, complaint: Complaint, *, has_copy_data: bool, transactional: bool) -> Script:
    """Make the script that sends a text whole; raises ScriptError where that would not do what the file says.

    One plain BEGIN … COMMIT is blanked, for the run opens that transaction itself.
    """
    if has_copy_data:
        raise sql.error(
            complaint.offset,
            f"{complaint.message} (and COPY … FROM stdin needs a file that can be parsed)",
            hint="Mend this line; if it is SQL of a newer server, put the COPY into a migration of its own.",
        )
    borders = _find_borders(sql.text)
    plain = [border.words in ends for border, ends in zip(borders, (_PLAIN_BEGINS, _PLAIN_ENDS), strict=False)]
    if borders and (len(borders) != 2 or not all(plain)):
        line = sql.place(borders[0].start).line
        raise sql.error(
            complaint.offset,
            f"{complaint.message} (and a file that cannot be parsed may hold one plain BEGIN; … COMMIT; at most: "
            f"see line {line})",
            hint="Mend this line; if it is SQL of a newer server, put it into a migration of its own, without BEGIN.",
        )
    text = sql.text
    for border in borders:
        text = text[: border.start] + blank(text[border.start : border.end]) + text[border.end :]
    target = None if transactional else Target("other")
    statement = Statement(text, 1, sql.shift, "", transactional=transactional, target=target)
    segment = Segment((statement,), transactional)
    return Script((segment,), parsed=False, parse_error=sql.place(complaint.offset), complaint=complaint.message)


def _find_borders(text: str) -> list[_Border]:
    """Find the statements that begin or end a transaction; savepoints are none."""
    found: list[_Border] = []
    statement: list[Token] = []
    words: list[str] = []
    depth = 0
    for token in cut(text):
        if token.kind == "comment":
            continue
        word = text[token.start : token.end].lower() if token.kind in ("word", "other") else '"'
        if word == ";" and depth <= 0:
            found += _read_border(statement, words)
            statement, words, depth = [], [], 0
            continue
        depth += _count_depth(words, word, depth)
        statement.append(token)
        words.append(word)
    return [*found, *_read_border(statement, words)]


def _count_depth(words: list[str], word: str, depth: int) -> int:
    """Say by how much a word opens or closes what may hold semicolons: a rule in parentheses, the body of a function.

    https://www.postgresql.org/docs/current/sql-createfunction.html (sql_body)
    """
    if words[:1] != ["create"]:
        return 0
    if word in "()":
        return 1 if word == "(" else -1
    if not {"function", "procedure"} & set(words[1:4]):
        return 0
    if word == "atomic" and words[-1] == "begin":
        return 1
    if depth > 0:
        return {"case": 1, "end": -1}.get(word, 0)
    return 0


def _read_border(statement: list[Token], words: list[str]) -> list[_Border]:
    """Read a statement as the begin or end of a transaction, if it is one."""
    opening = tuple(words[:2])
    borders = (
        words[:1] in (["begin"], ["commit"], ["end"], ["abort"], ["rollback"])
        and not (words[0] == "rollback" and "to" in words[1:3])
        and opening[1:] != ("prepared",)
    ) or opening in (("start", "transaction"), ("prepare", "transaction"))
    return [_Border(tuple(words), statement[0].start, statement[-1].end)] if borders else []
