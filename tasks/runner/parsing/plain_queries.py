"""Plain queries: statements that only read or change rows, and the form in which another server can parse them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tasks.postgres.targets import Node
from tasks.postgres.tokens import BLANKS, COMMENTS, Token, tokenize

PLAIN_KINDS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
NOT_PLAIN = "other than SELECT, INSERT, UPDATE, DELETE or MERGE"
_FIRST_WORDS = frozenset({"select", "insert", "update", "delete", "merge", "values", "with", "table", "("})
_SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema", "pg_toast"})
_LEDGER = "schema_migrations"
_TYPES = frozenset(
    {
        "bit", "bool", "boolean", "box", "bytea", "cidr", "circle", "date", "float4", "float8", "inet", "int2", "int4", "int8",
        "integer", "interval", "json", "jsonb", "line", "lseg", "macaddr", "money", "numeric", "path", "point", "polygon", "real",
        "regclass", "text", "time", "timestamp", "timestamptz", "timetz", "uuid", "varchar", "xml",
    }
)  # fmt: skip
"""The types whose literals are often written as TYPE 'value'."""
_ZONE = ("time", "zone")
_INTO = '"intoClause":{'
"""The field of a SELECT INTO in the parser's JSON; in a literal, its quotes are escaped."""


@dataclass(frozen=True, slots=True)
class PlainQuery:
    """A text as it was read: `reason` is why it is no plain query, and empty for one."""

    text: str
    kind: str = ""
    node: Node = field(default_factory=dict, repr=False)
    reason: str = ""

    @property
    def is_of_the_catalog(self) -> bool:
        """Return True if it reads nothing but system catalogs or the tables of this tool, and calls no other function."""
        relations = list(find_nodes(self.node, "RangeVar"))
        if any(str(each.get("relname", "")).startswith(_LEDGER) for each in relations):
            return True
        common = {str(each.get("ctename", "")) for each in find_nodes(self.node, "CommonTableExpr")}
        own = [each for each in relations if "schemaname" in each or each.get("relname") not in common]
        if not own:
            return all(_is_system_function(call) for call in find_nodes(self.node, "FuncCall"))
        return all(_is_system_relation(each) for each in own)


def may_be_plain(text: str) -> bool:
    """Return False for a text whose first word shows that it is no plain query."""
    first = next(tokenize(text[:1000], skip=BLANKS), None)
    return first is not None and first.text.lower() in _FIRST_WORDS


def read_query(text: str) -> PlainQuery:
    """Read the text of one statement; its comments are removed, and what pg_stat_statements made invalid is rewritten.

    pg_stat_statements replaces constants by parameters, also where the grammar only has constants:
    https://www.postgresql.org/docs/current/pgstatstatements.html
    """
    from pglast.parser import ParseError, parse_sql_json

    if "\0" in text:
        return PlainQuery(text, reason="with a NUL character")
    if not may_be_plain(text):
        return PlainQuery(text, reason=NOT_PLAIN)
    shown = restore_syntax(text)
    try:
        tree = parse_sql_json(shown)
        statements = json.loads(tree)["stmts"]
    except ParseError:
        return PlainQuery(shown, reason="in a syntax that is not known")
    except (RecursionError, UnicodeError):
        return PlainQuery(shown, reason="nested too deeply")
    if len(statements) != 1:
        return PlainQuery(shown, reason="more than one statement")
    ((kind, node),) = statements[0]["stmt"].items()
    if kind not in PLAIN_KINDS or _INTO in tree:
        return PlainQuery(shown, reason=NOT_PLAIN)
    return PlainQuery(shown, kind, node)


def restore_syntax(text: str) -> str:
    """Return a query without comments, in which a parameter is at no place where only a constant may be.

    `interval $1` becomes `CAST($1 AS interval)`, and `EXTRACT($1 FROM x)` a call of its function.
    """
    pieces = [token if token.kind not in COMMENTS else token._replace(kind="space", text=" ") for token in tokenize(text)]
    words = [number for number, token in enumerate(pieces) if token.kind != "space"]
    texts = [token.text for token in pieces]
    for place, number in enumerate(words):
        if pieces[number].kind != "parameter":
            continue
        start = _find_type(pieces, words, place)
        if start is not None:
            first = words[start]
            texts[first : number + 1] = _cast(texts, first, number)
        elif _is_extract(pieces, words, place):
            texts[words[place - 2]] = "pg_catalog.extract"
            texts[words[place + 1]] = ","
    return "".join(texts).strip().rstrip(";").rstrip()


def _cast(texts: list[str], first: int, parameter: int) -> list[str]:
    """Return the pieces of a cast in place of a type and a parameter; there are as many as before."""
    kind = "".join(texts[first:parameter]).strip()
    return [f"CAST({texts[parameter]} AS {kind})", *[""] * (parameter - first)]


def _find_type(pieces: list[Token], words: list[int], place: int) -> int | None:
    """Return the place of the first word of the type that a parameter follows, or None if it follows none."""
    before = [pieces[number].text.lower() for number in words[max(place - 4, 0) : place]]
    if len(before) == 4 and before[0] in {"time", "timestamp"} and before[1] in {"with", "without"}:
        return place - 4 if tuple(before[2:]) == _ZONE else None
    if not before or before[-1] not in _TYPES:
        return None
    # In CAST(x AS date) and x::date no parameter follows; a column of this name is followed by none either.
    return place - 1


def _is_extract(pieces: list[Token], words: list[int], place: int) -> bool:
    if place < 2 or place + 1 >= len(words):
        return False
    near = [pieces[words[place + each]].text.lower() for each in (-2, -1, 1)]
    return near == ["extract", "(", "from"]


def find_nodes(tree: Any, kind: str) -> Iterator[Node]:
    """Yield the nodes of a kind in a tree, which may be deep."""
    waiting = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            found = each.get(kind)
            if isinstance(found, dict):
                yield found
            if kind == "RangeVar" and isinstance(each.get("relation"), dict) and "relname" in each["relation"]:
                yield each["relation"]
            waiting += each.values()


def _is_system_relation(relation: Node) -> bool:
    schema = relation.get("schemaname")
    return schema in _SYSTEM_SCHEMAS if schema else str(relation.get("relname", "")).startswith("pg_")


def _is_system_function(call: Node) -> bool:
    parts = [part["String"]["sval"] for part in call.get("funcname", ()) if "String" in part]
    return bool(parts) and (parts[0] == "pg_catalog" or parts[-1].startswith("pg_"))
