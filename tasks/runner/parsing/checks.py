"""What is required of a statement so that a run can execute it, and can determine later whether it took effect."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.postgres.quoting import MAX_NAME_BYTES, quote_identifier
from tasks.postgres.targets import Node
from tasks.postgres.tokens import tokenize
from tasks.runner.parsing.script import Statement
from tasks.runner.parsing.source_text import SqlText

_LEDGER = "schema_migrations"


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
    end = next(token.end for token in tokenize(statement.text) if token.text.lower() == "concurrently")
    named = f"{statement.text[:end]} {quote_identifier(suggest_index_name(node))}{statement.text[end:]}"
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


def check_record(statement: Statement, node: Node, sql: SqlText, version: str) -> bool:
    """Return True if an INSERT records the file's own version; raises ScriptError for the row of another version.

    A value that is not a constant is not checked: only the server knows it.
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
                    f"the file records the version {value!r}, but its own version is {version!r}{name}",
                    hint=f"Write '{version}', or delete the INSERT: the run records the version automatically.",
                )
            own = True
    return own


def _read_constant(items: list[Node]) -> Iterator[tuple[str, int]]:
    """Yield constants, cast or not, each with its byte offset in the statement."""
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
