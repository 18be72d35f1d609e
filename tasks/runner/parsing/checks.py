"""What is required of a statement so that a run can execute it, and can determine later whether it took effect."""

from __future__ import annotations

import re

from tasks.postgres.quoting import MAX_NAME_BYTES, quote_identifier
from tasks.postgres.targets import Node
from tasks.postgres.tokens import tokenize
from tasks.runner.parsing.script import Statement
from tasks.runner.parsing.source_text import SqlText

_ESCAPES_ON = re.compile(
    r"\bset\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|\bto\b)\s*'?(?:off|of|false|f|no|n|0)\b", re.IGNORECASE
)


def find_escapes(text: str) -> re.Match[str] | None:
    """Return where a text first sets standard_conforming_strings to off."""
    # The plain search is many times faster, and most large files are data.
    return _ESCAPES_ON.search(text) if "standard_conforming_strings" in text.lower() else None


def check_escapes(sql: SqlText) -> None:
    r"""Raise ScriptError for a string that ends at another place once standard_conforming_strings is off, as 'it\'s'.

    https://www.postgresql.org/docs/current/runtime-config-compatible.html#GUC-STANDARD-CONFORMING-STRINGS
    """
    off = find_escapes(sql.text)
    if off is None:
        return
    for token in tokenize(sql.text, off.end()):
        body = token.text.removesuffix("'")
        if token.kind == "string" and (len(body) - len(body.rstrip("\\"))) % 2:
            raise sql.error(
                token.start,
                f"the string contains a backslash before a quote, which line {sql.place(off.start()).line} makes an escape "
                "(standard_conforming_strings = off)",
                hint=f"Delete line {sql.place(off.start()).line}, and write strings with escapes as E'…': E'it\\'s'",
            )


def check_copy(statement: Statement, node: Node, sql: SqlText) -> None:
    """Raise ScriptError for a COPY to or from the client that a run cannot serve."""
    if "filename" in node:
        return
    start = statement.offset - sql.shift
    if not node.get("is_from"):
        raise sql.error(
            start,
            "COPY … TO STDOUT sends rows to psql, and a migration runs without psql",
            hint="Delete it, or copy into a table: CREATE TABLE … AS SELECT …;",
        )
    if any(_read_format(option) == "binary" for option in node.get("options", ())):
        raise sql.error(
            start,
            "a migration is a text file and cannot contain binary data",
            hint="Write the rows as text: COPY … FROM stdin; with tabs between the columns.",
        )


def check_index_name(statement: Statement, node: Node, sql: SqlText) -> None:
    """Raise ScriptError for a concurrent build of an index without a name, whose leftovers could not be found."""
    if node.get("idxname"):
        return
    end = next(token.end for token in tokenize(statement.shown) if token.text.lower() == "concurrently")
    named = f"{statement.shown[:end]} {quote_identifier(suggest_index_name(node))}{statement.shown[end:]}"
    raise sql.error(
        statement.offset - sql.shift,
        "CREATE INDEX CONCURRENTLY needs a name for the index, to find it if the build is interrupted",
        hint=f"Use the name that PostgreSQL would choose:\n{named};",
    )


def suggest_index_name(node: Node) -> str:
    """Return the name that PostgreSQL would choose for an index, except where that name is taken or too long."""
    parts = [node["relation"]["relname"]]
    for item in (*node.get("indexParams", ()), *node.get("indexIncludingParams", ())):
        element = item["IndexElem"]
        call = element.get("expr", {}).get("FuncCall")
        name = element.get("name") or (call["funcname"][-1]["String"]["sval"] if call else "expr")
        number = sum(part.rstrip("0123456789") == name for part in parts[1:])
        parts.append(f"{name}{number or ''}")
    return "_".join(parts).encode()[: MAX_NAME_BYTES - 4].decode(errors="ignore") + "_idx"


def _read_format(option: Node) -> str:
    element = option["DefElem"]
    if element["defname"] != "format":
        return ""
    return str(element.get("arg", {}).get("String", {}).get("sval", "")).lower()
