"""Statements of a file on the tables of the ledger: a file may insert and delete the row of its own version, and nothing else.

An unqualified name is taken for a table of the ledger unless the file has set a search_path without the ledger's schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.postgres.targets import Node
from tasks.postgres.tokens import NAMES, STRINGS, read_string, tokenize
from tasks.runner.parsing.script import Statement
from tasks.runner.parsing.source_text import ScriptError, SqlText

LEDGER = "schema_migrations"
LEDGER_TABLES = frozenset({LEDGER, *(f"{LEDGER}_{suffix}" for suffix in ("log", "meta", "scripts", "seeds"))})

_VERBS = {
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE FROM",
    "MergeStmt": "MERGE INTO",
    "InsertStmt": "INSERT INTO",
}
_BREAKING = {"AT_DropColumn": "DROP COLUMN", "AT_AlterColumnType": "ALTER COLUMN TYPE", "AT_DropConstraint": "DROP CONSTRAINT"}
"""The changes of a table after which the ledger cannot be used; others, such as OWNER TO, do no harm."""
_DEFERRED = frozenset({"CreateFunctionStmt", "RuleStmt", "ViewStmt"})
"""The statements that contain others without running them."""
_QUERY = "query"


@dataclass(frozen=True, slots=True)
class _Touch:
    """What a statement does to which table of which schema, or to a schema; an empty schema means the search path."""

    verb: str
    schema: str
    table: str
    rows: Node = field(default_factory=dict)
    """The statement, where only the rows decide whether it is allowed."""


@dataclass(slots=True)
class LedgerChecks:
    """The checks of the statements of one file, in order; `schema` is that of the ledger."""

    version: str
    schema: str
    _path: list[str] | None = None

    def check(self, statement: Statement, node: Node, sql: SqlText) -> bool:
        """Return True if a statement records the file's own version; raises ScriptError for one that changes the ledger."""
        self._path = _read_path(statement.kind, node, self._path)
        if not may_touch(statement.text.lower()):
            return False
        own = False
        for touch in _find_touches(statement.kind, node):
            if not self._is_ours(touch):
                continue
            if touch.table == LEDGER and touch.verb == "INSERT INTO":
                own |= check_record(statement, touch.rows, sql, self.version)
            elif not (touch.table == LEDGER and touch.verb == "DELETE FROM" and self._deletes_own(touch.rows)):
                raise self._refuse(statement, touch, sql)
        return own

    def _is_ours(self, touch: _Touch) -> bool:
        if not touch.table:
            return touch.schema == self.schema
        if touch.table not in LEDGER_TABLES:
            return False
        if touch.schema:
            return touch.schema == self.schema
        return self._path is None or self.schema in self._path

    def _deletes_own(self, node: Node) -> bool:
        condition = node.get("whereClause", {}).get("A_Expr", {})
        column = condition.get("lexpr", {}).get("ColumnRef", {}).get("fields", [{}])[-1].get("String", {}).get("sval")
        values = [value for value, _ in _read_constant([condition.get("rexpr", {})])]
        equals = condition.get("kind") == "AEXPR_OP" and condition.get("name") == [{"String": {"sval": "="}}]
        return equals and column == "version" and values == [self.version]

    def _refuse(self, statement: Statement, touch: _Touch, sql: SqlText) -> ScriptError:
        name = touch.table or touch.schema
        qualified = f"{touch.schema}.{name}" if touch.table and touch.schema else name
        if not touch.table:
            message = f"{touch.verb} {name} would take away the ledger, which is in this schema"
            hint = (
                "Delete the statement, and drop the objects in the schema instead.\n"
                "To start with an empty database, drop and create the database: DROP DATABASE, CREATE DATABASE."
            )
        else:
            message = f"{touch.verb} {qualified} would change the ledger, the record of the applied migrations"
            hint = (
                "Delete the statement: a run records each migration. To correct the record: inv db.repair\n"
                "If it means the table of another tool, write that table with its schema."
            )
        place = next(
            (token.start for token in tokenize(statement.text) if token.kind in NAMES and token.text.strip('"').lower() == name),
            0,
        )
        return sql.error(statement.offset - sql.shift + place, message, hint=hint)


def may_touch(lowered: str) -> bool:
    """Return True if a statement in lower case may concern the ledger, so that its tree is needed."""
    return may_write(lowered) or ("schema" in lowered and ("drop" in lowered or "rename" in lowered))


def may_write(lowered: str) -> bool:
    """Return True if a statement in lower case that only reads or changes rows may concern those of the ledger."""
    return LEDGER in lowered or 'u&"' in lowered


def check_record(statement: Statement, node: Node, sql: SqlText, version: str) -> bool:
    """Return True if an INSERT records the file's own version; raises ScriptError for the row of another version.

    A value that is not a constant is not checked: only the server knows it.
    """
    columns = [item["ResTarget"]["name"] for item in node.get("cols", ())] or ["version"]
    if "version" not in columns:
        return False
    place = columns.index("version")
    own = False
    for row in node.get("selectStmt", {}).get("SelectStmt", {}).get("valuesLists", ()):
        for value, location in _read_constant(row["List"]["items"][place : place + 1]):
            if value != version:
                name = " (the version is the file's name without .sql)" if value == f"{version}.sql" else ""
                before = statement.text.encode()[:location].decode() if statement.kind == "InsertStmt" else ""
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


def _read_path(kind: str, node: Node, path: list[str] | None) -> list[str] | None:
    """Return the search_path after a statement, None for that of the session."""
    if kind == "VariableSetStmt" and node.get("name") == "search_path":
        args = node.get("args", ())
        return [arg.get("A_Const", {}).get("sval", {}).get("sval", "") for arg in args] if args else None
    for item in node.get("targetList", ()) if kind == "SelectStmt" else ():
        call = item.get("ResTarget", {}).get("val", {}).get("FuncCall", {})
        values = [value for value, _ in _read_constant(list(call.get("args", ())))]
        if call and call["funcname"][-1]["String"]["sval"] == "set_config" and values[:1] == ["search_path"] and len(values) > 1:
            return [name.strip().strip('"') for name in values[1].split(",")]
    return path


def _find_touches(kind: str, node: Node) -> Iterator[_Touch]:
    """Yield what a statement, and those in it, would do to tables or schemas."""
    if kind in _DEFERRED:
        return
    if kind in _READERS:
        yield from _READERS[kind](node)
    yield from _find_writes({kind: node})


def _find_writes(tree: object) -> Iterator[_Touch]:
    """Yield the writes to rows in a part of the tree: those of WITH too."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            if key in _VERBS and isinstance(part, dict):
                yield _touch(_VERBS[key], part.get("relation", {}), part)
            yield from _find_writes(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _find_writes(part)


def _read_dropped(node: Node) -> Iterator[_Touch]:
    kind = node.get("removeType", "").removeprefix("OBJECT_").replace("_", " ")
    for item in node.get("objects", ()):
        names = [part["String"]["sval"] for part in item.get("List", {}).get("items", ()) if "String" in part]
        if kind == "SCHEMA":
            yield _Touch("DROP SCHEMA", item["String"]["sval"], "")
        elif kind in ("TABLE", "VIEW", "FOREIGN TABLE", "MATVIEW") and names:
            yield _Touch(f"DROP {kind}", names[-2] if len(names) > 1 else "", names[-1])


def _read_truncated(node: Node) -> Iterator[_Touch]:
    for item in node.get("relations", ()):
        yield _touch("TRUNCATE", item.get("RangeVar", {}))


def _read_renamed(node: Node) -> Iterator[_Touch]:
    if node.get("renameType") == "OBJECT_SCHEMA":
        yield _Touch("RENAME of the schema", node["subname"], "")
    else:
        yield _touch("RENAME of", node.get("relation", {}))


def _read_moved(node: Node) -> Iterator[_Touch]:
    yield _touch("SET SCHEMA of", node.get("relation", {}))


def _read_altered(node: Node) -> Iterator[_Touch]:
    for item in node.get("cmds", ()):
        verb = _BREAKING.get(item.get("AlterTableCmd", {}).get("subtype", ""))
        if verb:
            yield _touch(f"{verb} of", node.get("relation", {}))


def _read_copied(node: Node) -> Iterator[_Touch]:
    if node.get("is_from"):
        yield _touch("COPY", node.get("relation", {}))


def _touch(verb: str, relation: Node, rows: Node | None = None) -> _Touch:
    return _Touch(verb, relation.get("schemaname", ""), relation.get("relname", ""), rows or {})


def _find_in_block(node: Node) -> Iterator[_Touch]:
    """Yield what the statements in a DO block would do, also those that EXECUTE runs from a constant."""
    from pglast.parser import ParseError, parse_plpgsql_json, parse_sql_json

    body = next((item["DefElem"]["arg"]["String"]["sval"] for item in node["args"] if item["DefElem"]["defname"] == "as"), "")
    quote = "$migrate_block$"
    try:
        queries = list(_find_queries(json.loads(parse_plpgsql_json(f"DO {quote}{body}{quote}"))))
    except ParseError:
        return  # another language, or an error that the server reports
    queries += [read_string(token) for query in queries for token in tokenize(query) if token.kind in STRINGS]
    for query in queries:
        if not may_touch(query.lower()):
            continue
        try:
            statements = json.loads(parse_sql_json(query))["stmts"]
        except ParseError:
            continue
        for statement in statements:
            ((kind, inner),) = statement["stmt"].items()
            yield from _find_touches(kind, inner)


def _find_queries(tree: object) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, part in tree.items():
            if key == _QUERY and isinstance(part, str):
                yield part
            else:
                yield from _find_queries(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _find_queries(part)


_READERS = {
    "AlterObjectSchemaStmt": _read_moved,
    "AlterTableStmt": _read_altered,
    "CopyStmt": _read_copied,
    "DoStmt": _find_in_block,
    "DropStmt": _read_dropped,
    "RenameStmt": _read_renamed,
    "TruncateStmt": _read_truncated,
}
