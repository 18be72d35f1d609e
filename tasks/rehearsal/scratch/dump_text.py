"""The statements of a dump as the same text from every server and role, and without characters that a checkout may change.

What the versions write differently about the same schema:

16: a view that selects from one relation is written without its name before each column. The name is dropped for 14 and 15.
    https://github.com/postgres/postgres/commit/47bb9db75996232ea71fc1e1888ffb0e70579b54
16: words such as json became keywords, so that names like them are quoted. The quotes are dropped where they are not needed.
    https://www.postgresql.org/docs/current/sql-keywords-appendix.html
17: ALL includes a new privilege MAINTAIN. A list of all other privileges is written as ALL.
    https://www.postgresql.org/docs/release/17.0/
18: NOT NULL is a constraint with a name, which stays after a renaming and is passed on to partitions. A name that the server
    made is dropped; one that a migration chose is kept. In a table that inherits the column, pg_dump writes NOT NULL as a
    constraint of the table, which older servers cannot load; it becomes a statement of its own.
    https://www.postgresql.org/docs/release/18.0/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.catalog.conditions import join_conditions
from tasks.catalog.normalising import LATER_KEYWORDS, join_casts
from tasks.catalog.qualifiers import drop_qualifiers
from tasks.postgres.tokens import NAME, SPACE, STRINGS, Token, read_string, tokenize

_TEXTS = ("CREATE FUNCTION", "CREATE PROCEDURE", "COMMENT")
"""Statements that contain free text, which must not change."""
_VIEW = re.compile(
    r"(CREATE (?:MATERIALIZED )?VIEW .*? AS\n)(.*?)(\n  WITH (?:NO DATA|(?:LOCAL |CASCADED )?CHECK OPTION))?", re.DOTALL
)
_QUALIFIED_UNTIL = 15
_MADE_NAME = re.compile(r'CONSTRAINT (?:\w+_not_null\d*|"(?:[^"]|"")*_not_null\d*") (?=NOT NULL\b)')
_WITH_NOT_NULL = re.compile(r"CREATE (?:(?:UNLOGGED |FOREIGN )?TABLE|DOMAIN) ")
_TABLE = re.compile(rf"CREATE (?:UNLOGGED )?TABLE ((?:{NAME}\.)?{NAME}) \(")
_ALL_BUT_ONE = re.compile(
    r"(GRANT|REVOKE(?: GRANT OPTION FOR)?) SELECT,INSERT,REFERENCES,DELETE,TRIGGER,TRUNCATE,UPDATE(?= ON TABLES? )"
)
_FOR_ROLE = re.compile(r'ALTER DEFAULT PRIVILEGES FOR ROLE ("(?:[^"]|"")*"|\S+) ')
_NAMES_ROLES = re.compile(r"GRANT |REVOKE |ALTER DEFAULT PRIVILEGES |CREATE POLICY |(?:CREATE|ALTER) USER MAPPING ")
_BEFORE_ROLES = frozenset({"TO", "FROM", "FOR"})
_END_OF_ROLES = frozenset({"USING", "WITH", "SERVER"})


def settle(statement: str, *, major: int, owner: str) -> str:
    """Return a statement of a dump as all versions write it; the role that loads it takes the place of `owner`, a name in SQL."""
    return escape_returns(_generalise(_settle_names(statement, owner), major))


def escape_returns(statement: str) -> str:
    r"""Return a statement with \r in place of carriage returns: Git and editors change them at the ends of lines.

    They occur in strings and quoted names only.
    """
    if "\r" not in statement:
        return statement
    return "".join(map(_escape, tokenize(statement)))


def _escape(token: Token) -> str:
    if "\r" not in token.text:
        return token.text
    if token.kind == "escape_string":
        return token.text.replace("\r", r"\r")
    if token.kind in STRINGS:
        value = read_string(token).replace("\\", r"\\").replace("'", "''").replace("\r", r"\r")
        return f"E'{value}'"
    if token.kind == "identifier":
        return "U&" + token.text.replace("\\", r"\\").replace("\r", r"\000d")
    return token.text


def _settle_names(statement: str, owner: str) -> str:
    """Return a statement without the owner of the dump: the objects get the role that loads them as their owner."""
    if match := _FOR_ROLE.match(statement):
        whose = f"FOR ROLE {match[1]} " if match[1] != owner else ""
        statement = f"ALTER DEFAULT PRIVILEGES {whose}{statement[match.end() :]}"
    if owner not in statement or not _NAMES_ROLES.match(statement):
        return statement
    places = [token.start for token in _list_roles(statement) if token.text == owner]
    for start in reversed(places):
        statement = f"{statement[:start]}CURRENT_USER{statement[start + len(owner) :]}"
    return statement


def _list_roles(statement: str) -> Iterator[Token]:
    """Yield the names of roles in a GRANT, a REVOKE, a policy or a user mapping."""
    before, inside, mapping = "", False, " USER MAPPING " in statement[:20]
    for token in tokenize(statement, skip=SPACE):
        if token.text in _END_OF_ROLES and before != ".":
            inside = False
        if inside and before in (*_BEFORE_ROLES, ","):
            yield token
        # A policy has FOR before its command.
        inside = inside or token.text in (_BEFORE_ROLES if mapping else {"TO", "FROM"})
        before = token.text


def _generalise(statement: str, major: int) -> str:
    if statement.startswith(_TEXTS):
        return statement
    statement = _drop_quotes(statement)
    if major <= _QUALIFIED_UNTIL and (view := _VIEW.fullmatch(statement)):
        statement = f"{view[1]}{drop_qualifiers(view[2])}{view[3] or ''}"
    if _WITH_NOT_NULL.match(statement):
        statement = _move_not_null(_MADE_NAME.sub("", statement))
    return join_conditions(join_casts(_ALL_BUT_ONE.sub(r"\1 ALL", statement)))


def _move_not_null(statement: str) -> str:
    """Return a CREATE TABLE in which NOT NULL of an inherited column is set by a statement after it."""
    table = _TABLE.match(statement)
    if table is None or "NOT NULL" not in statement:
        return statement
    tokens = list(tokenize(statement, skip=SPACE))
    columns, depth = [], 0
    for number, token in enumerate(tokens[:-4]):
        depth += (token.text == "(") - (token.text == ")")
        word, other, column, after = tokens[number + 1 : number + 5]
        begins = depth == 1 and token.text in ("(", ",") and (word.text, other.text) == ("NOT", "NULL")
        if begins and after.text in (",", ")"):
            columns.append(column.text)
            # The comma before it is dropped, or that after the first.
            first = token.text == "("
            start, end = (token.end, after.end if after.text == "," else column.end) if first else (token.start, column.end)
            statement = statement[:start] + "\0" * (end - start) + statement[end:]
    alterations = (f";\n\nALTER TABLE ONLY {table[1]} ALTER COLUMN {column} SET NOT NULL" for column in columns)
    return statement.replace("\0", "") + "".join(alterations)


def _drop_quotes(statement: str) -> str:
    """Return a statement without the quotes around later keywords, except for a name before a parenthesis that has no schema."""
    if '"json' not in statement and '"merge_action"' not in statement:
        return statement
    tokens = list(tokenize(statement))
    pieces = []
    for number, token in enumerate(tokens):
        unquoted = token.text[1:-1]
        if token.kind == "identifier" and unquoted in LATER_KEYWORDS:
            after = (each.text for each in tokens[number + 1 :] if each.kind not in SPACE)
            if next(after, "") != "(" or tokens[number - 1].text == ".":
                pieces.append(unquoted)
                continue
        pieces.append(token.text)
    return "".join(pieces)
