"""A text that the parser does not know: an error, or SQL of a newer server. Only the server can decide which.

Its words are searched for BEGIN and COMMIT, which must not reach the server: they would end the run's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.postgres.targets import Target
from tasks.postgres.tokens import BLANKS, Token, tokenize
from tasks.runner.parsing.script import Script, Segment, Statement
from tasks.runner.parsing.source_text import SqlText, blank

_PLAIN_BEGINS = {("begin",), ("begin", "work"), ("begin", "transaction"), ("start", "transaction")}
_PLAIN_ENDS = {(verb, *more) for verb in ("commit", "end") for more in ((), ("work",), ("transaction",))}


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """The message of the parser, and the character that it points at."""

    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class _Border:
    """A statement that begins or ends a transaction."""

    words: tuple[str, ...]
    start: int
    end: int


def keep_unparsed(sql: SqlText, failure: ParseFailure, *, has_copy_data: bool, transactional: bool) -> Script:
    """Return a script of one statement, the entire text; raises ScriptError where that would not do what the file requires.

    One plain BEGIN … COMMIT is blanked, because the run begins that transaction itself.
    """
    if has_copy_data:
        raise sql.error(
            failure.offset,
            f"{failure.message} (and a file with COPY … FROM stdin must be parsed)",
            hint="Fix this line. If it is SQL of a newer server, move the COPY to a migration of its own.",
        )
    borders = _find_borders(sql.text)
    plain = [border.words in ends for border, ends in zip(borders, (_PLAIN_BEGINS, _PLAIN_ENDS), strict=False)]
    if borders and (len(borders) != 2 or not all(plain)):
        line = sql.place(borders[0].start).line
        raise sql.error(
            failure.offset,
            f"{failure.message} (and a file that cannot be parsed may contain at most one plain "
            f"BEGIN; … COMMIT;: see line {line})",
            hint="Fix this line. If it is SQL of a newer server, move it to a migration of its own, without BEGIN.",
        )
    text = sql.text
    for border in borders:
        text = text[: border.start] + blank(text[border.start : border.end]) + text[border.end :]
    target = None if transactional else Target("other")
    statement = Statement(text, 1, sql.shift, "", transactional=transactional, target=target)
    segment = Segment((statement,), transactional)
    return Script((segment,), parsed=False)


def _find_borders(text: str) -> list[_Border]:
    """Return the statements that begin or end a transaction, without those of savepoints."""
    found: list[_Border] = []
    statement: list[Token] = []
    words: list[str] = []
    depth = 0
    for token in tokenize(text, skip=BLANKS):
        word = token.text.lower()
        if word == ";" and depth <= 0:
            found += _read_border(statement, words)
            statement, words, depth = [], [], 0
            continue
        depth += count_depth(words, word, depth)
        statement.append(token)
        words.append(word)
    return [*found, *_read_border(statement, words)]


def count_depth(words: list[str], word: str, depth: int) -> int:
    """Return by how much a word changes the depth of what may contain semicolons: parentheses of a rule, the body of a function.

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
    """Return a statement in a list if it begins or ends a transaction, else an empty list."""
    opening = tuple(words[:2])
    borders = (
        words[:1] in (["begin"], ["commit"], ["end"], ["abort"], ["rollback"])
        and not (words[0] == "rollback" and "to" in words[1:3])
        and opening[1:] != ("prepared",)
    ) or opening in (("start", "transaction"), ("prepare", "transaction"))
    return [_Border(tuple(words), statement[0].start, statement[-1].end)] if borders else []
