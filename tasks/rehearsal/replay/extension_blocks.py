"""Blocks that create, change or drop extensions under conditions: the role runs the block, and reports what is to be done.

Each statement about an extension is replaced by a message that contains it. So the conditions are evaluated where they are, and
the administrator carries out what the block asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.postgres.tokens import COMMENTS, SPACE, Token, tokenize
from tasks.rehearsal.scratch.extensions import ExtensionStatement, read_any_statement

REQUEST = "MIG01"
"""The SQLSTATE of the messages; INFO is sent whatever client_min_messages is.
https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-CLIENT-MIN-MESSAGES"""
_BEGINNINGS = (("create", "extension"), ("alter", "extension"), ("drop", "extension"), ("comment", "on", "extension"))


def rewrite(text: str) -> str:
    """Return a DO statement that reports what it would do with extensions; "" if nothing can be replaced in it."""
    bodies = [token for token in tokenize(text, skip=SPACE) if token.kind == "dollar_string"]
    if len(bodies) != 1:
        return ""
    (body,) = bodies
    tag = body.text[: body.text.index("$", 1) + 1]
    inner = body.text[len(tag) : -len(tag)]
    written, end = [], 0
    for first, last in _find_statements(inner):
        quoted = inner[first.start : last.start].replace("'", "''")
        written += [inner[end : first.start], f"RAISE INFO USING ERRCODE = '{REQUEST}', MESSAGE = '{quoted}'"]
        end = last.start
    if not written:
        return ""
    return "".join((text[: body.start], tag, *written, inner[end:], tag, text[body.end :]))


def read_requests(messages: list[str]) -> list[ExtensionStatement]:
    """Return the statements in the messages of a block."""
    return [statement for message in messages if (statement := read_any_statement(message)) is not None]


def _find_statements(text: str) -> Iterator[tuple[Token, Token]]:
    """Yield the first token and the semicolon of each statement about an extension."""
    tokens = [token for token in tokenize(text, skip=SPACE) if token.kind not in COMMENTS]
    words = [token.text.lower() for token in tokens]
    for number, first in enumerate(tokens):
        if any(tuple(words[number : number + len(each)]) == each for each in _BEGINNINGS):
            last = next((token for token in tokens[number:] if token.text == ";"), None)
            if last is not None and read_any_statement(text[first.start : last.start]) is not None:
                yield first, last
