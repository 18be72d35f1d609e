"""What a statement has to be so that a run can do it, and find out later what became of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.postgres.targets import Node
from tasks.runner.parsing.script import Statement
from tasks.runner.parsing.source_text import SqlText

_LEDGER = "schema_migrations"
_NAME_BYTES = 63
"""https://www.postgresql.org/docs/current/sql-syntax-lexical.html (NAMEDATALEN - 1)"""


def check_copy(statement: Statement, node: Node, sql: SqlText) -> None:
    """Refuse a COPY whose other end is a client that is not there; raises ScriptError."""
    if "filename" in node:
        return
    start = statement.offset - sql.shift
    if not node.get("is_from"):
        raise sql.error(
            start,
            "COPY … TO STDOUT sends rows to psql, and a migration runs without it",
            hint="Delete it, or copy into a table: CREATE TABLE … AS SELECT …;",
        )
    if any(_read_format(option) == "binary" for option in node.get("options", ())):
        raise sql.error(
            start,
            "binary data cannot stand in a file of text",
            hint="Write the rows as text: COPY … FROM stdin; with tabs between the columns.",
        )


def check_index_name(statement: Statement, node: Node, sql: SqlText) -> None:
    """Refuse a concurrent build of an index without a name, whose remains nobody could find; raises ScriptError."""
    if node.get("idxname"):
        return
    named = re.sub(
        r"\bconcurrently\b",
        lambda word: f"{word.group()} {_quote(suggest_index_name(node))}",
        statement.text,
        count=1,
        flags=re.IGNORECASE,
    )
    raise sql.error(
        statement.offset - sql.shift,
        "CREATE INDEX CONCURRENTLY needs the name of the index, to find it again when the build is broken off",
        hint=f"Give it the name that PostgreSQL would:\n{named};",
    )


def suggest_index_name(node: Node) -> str:
    """Make the name that PostgreSQL would choose for an index, but for what is taken already and long names."""
    parts = [node["relation"]["relname"]]
    for item in (*node.get("indexParams", ()), *node.get("indexIncludingParams", ())):
        element = item["IndexElem"]
        call = element.get("expr", {}).get("FuncCall")
        name = element.get("name") or (call["funcname"][-1]["String"]["sval"] if call else "expr")
        number = sum(part.rstrip("0123456789") == name for part in parts[1:])
        parts.append(f"{name}{number or ''}")
    return "_".join(parts).encode()[: _NAME_BYTES - 4].decode(errors="ignore") + "_idx"


def check_record(statement: Statement, node: Node, sql: SqlText, version: str) -> bool:
    """Say whether an INSERT records the file's own version; raises ScriptError for another version's row.

    A value that is no plain constant is left alone: only the server knows it.
    """
    if node.get("relation", {}).get("relname") != _LEDGER:
        return False
    columns = [item["ResTarget"]["name"] for item in node.get("cols", ())] or ["version"]
    if "version" not in columns:
        return False
    place = columns.index("version")
    own = False
    for row in node.get("selectStmt", {}).get("SelectStmt", {}).get("valuesLists", ()):
        for value, location in _read_constant(row["List"]["items"][place : place + 1]):
            if value != version:
                name = " (the version is the file's name without .sql)" if value == f"{version}.sql" else ""
                before = statement.text.encode()[:location].decode()
                raise sql.error(
                    statement.offset - sql.shift + len(before),
                    f"the file records the version {value!r}, but its own is {version!r}{name}",
                    hint=f"Write '{version}', or leave the INSERT out: the run records the version itself.",
                )
            own = True
    return own


def _read_constant(items: list[Node]) -> Iterator[tuple[str, int]]:
    """Read a plain value, cast or not, and the byte of the statement at which it stands."""
    for item in items:
        inner = item
        while "TypeCast" in inner:
            inner = inner["TypeCast"]["arg"]
        constant = inner.get("A_Const", {})
        location = constant.get("location", 0)
        if "sval" in constant:
            yield constant["sval"].get("sval", ""), location
        elif "ival" in constant:
            yield str(constant["ival"].get("ival", 0)), location
        elif "fval" in constant:
            yield constant["fval"]["fval"], location


def _read_format(option: Node) -> str:
    element = option["DefElem"]
    if element["defname"] != "format":
        return ""
    return str(element.get("arg", {}).get("String", {}).get("sval", "")).lower()


def _quote(name: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    return '"' + name.replace('"', '""') + '"'
