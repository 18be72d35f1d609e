"""The parser's part in reading a script: one pass over the text that builds no more of the tree than is looked at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tasks.postgres.nontransactional import find_refusal, is_refusable
from tasks.postgres.targets import Node
from tasks.runner.parsing.checks import check_copy, check_index_name, check_record
from tasks.runner.parsing.directives import Header, read_header
from tasks.runner.parsing.lexer import find_statement, trim
from tasks.runner.parsing.psql import needs_psql, take_copy_data
from tasks.runner.parsing.script import Script, Statement
from tasks.runner.parsing.segments import group
from tasks.runner.parsing.source_text import ScriptError, SqlText, shorten, take_text
from tasks.runner.parsing.unparsed import Complaint, keep_whole

_KIND = re.compile(r'"stmt":\{"(\w+)"')
_PLAIN_KINDS = {"insert": "InsertStmt", "update": "UpdateStmt", "delete": "DeleteStmt", "select": "SelectStmt"}
_LOOKED_AT = {"TransactionStmt", "CopyStmt", "VariableSetStmt", "InsertStmt", "SelectStmt"}


class _Shape(NamedTuple):
    """Hold what a look at one statement's tree told; the node is empty where nobody asks for it."""

    kind: str
    node: Node


def parse_script(text: str, *, file: str, version: str) -> Script:
    """Read a file's text; raises ScriptError for one that no run can take."""
    sql = take_text(text, file)
    lowered = sql.text.lower()
    copies: dict[int, str] = {}
    if needs_psql(lowered):
        sql, taken = take_copy_data(sql)
        copies = {copy.start: copy.data for copy in taken}
    header = read_header(sql) if "migrate" in lowered else Header()
    parsed = _parse(sql, copies)
    if isinstance(parsed, Complaint):
        if header.irreversible is not None:
            raise _refuse_content(sql, header)
        return keep_whole(sql, parsed, has_copy_data=bool(copies), transactional=not header.no_transaction)
    if header.irreversible is not None:
        if parsed:
            raise _refuse_content(sql, header)
        return Script((), irreversible=header.irreversible)
    records_itself = _check(parsed, sql, version)
    segments = group(parsed, sql, no_transaction=header.no_transaction)
    if not segments:
        raise sql.error(
            0,
            "the file holds no statement",
            hint="Write one, or delete the file. A down file without a way back says:\n-- migrate: irreversible REASON",
        )
    return Script(segments, records_itself)


def _check(items: Iterable[tuple[Statement, Node]], sql: SqlText, version: str) -> bool:
    """Check each statement, and say whether one records the file's own version; raises ScriptError."""
    records_itself = False
    for statement, node in items:
        if statement.kind == "CopyStmt":
            check_copy(statement, node, sql)
        elif statement.kind == "IndexStmt" and not statement.transactional:
            check_index_name(statement, node, sql)
        elif statement.kind == "InsertStmt":
            records_itself |= check_record(statement, node, sql, version)
    return records_itself


def _parse(sql: SqlText, copies: Mapping[int, str]) -> list[tuple[Statement, Node]] | Complaint:
    """Cut the text into statements, each with its node if someone looks at it, or say where the parser stumbles."""
    from pglast.parser import ParseError, split

    found: list[tuple[Statement, Node]] = []
    line, counted, end = 1, 0, 0
    try:
        for piece in split(sql.text):
            start = sql.text.index(piece, find_statement(sql.text, end))
            end = start + len(piece)
            line += sql.text.count("\n", counted, start)
            counted = start
            text = trim(piece)
            shape = _look(text)
            refusal = find_refusal(shape.kind, shape.node)
            statement = Statement(
                text,
                line,
                start + sql.shift,
                shape.kind,
                transactional=refusal is None,
                copy_data=copies.get(start),
                target=refusal.target(shape.node) if refusal else None,
                session=_sets_session(shape),
            )
            found.append((statement, shape.node))
    except ParseError as error:
        message, offset = (*error.args, None)[:2]
        # Without a place it is the end of the text, or the statement whose tree is too deep.
        offset = offset if offset is not None else counted or len(sql.text.rstrip())
        return Complaint(shorten(str(message), sql.text[offset:]), offset)
    except RecursionError:
        return Complaint("the statement nests too deep for the parser", counted)
    return found


def _look(text: str) -> _Shape:
    """Find the kind of a statement, and its node if that decides anything.

    The tree of a large INSERT is ten times its text, so a statement that only moves rows is known by its first word.
    """
    from pglast.parser import parse_sql_json

    plain = _PLAIN_KINDS.get(text[:6].lower())
    if plain is not None and not _tells_more(plain, text):
        return _Shape(plain, {})
    tree = parse_sql_json(text)
    match = _KIND.search(tree)
    kind = match.group(1) if match else ""
    if kind not in _LOOKED_AT and not is_refusable(kind):
        return _Shape(kind, {})
    return _Shape(kind, json.loads(tree)["stmts"][0]["stmt"][kind])


def _tells_more(kind: str, text: str) -> bool:
    lowered = text.lower()
    return ("schema_migrations" in lowered and kind == "InsertStmt") or ("set_config" in lowered and kind == "SelectStmt")


def _sets_session(shape: _Shape) -> bool:
    """Say whether a statement changes a setting for longer than its transaction: SET, RESET, or a bare set_config()."""
    if shape.kind == "VariableSetStmt":
        return not shape.node.get("is_local") and not str(shape.node.get("name", "")).startswith("TRANSACTION")
    if shape.kind != "SelectStmt":
        return False
    for item in shape.node.get("targetList", ()):
        call = item["ResTarget"].get("val", {}).get("FuncCall", {})
        if call and call["funcname"][-1]["String"]["sval"] == "set_config":
            # Its third argument asks for the transaction only: https://www.postgresql.org/docs/current/functions-admin.html
            local = call.get("args", [{}])[-1].get("A_Const", {}).get("boolval", {}).get("boolval", False)
            return not local
    return False


def _refuse_content(sql: SqlText, header: Header) -> ScriptError:
    return sql.error(
        header.at,
        "the file says that it is irreversible, yet holds SQL",
        hint="Delete this line, or all but this line.",
    )
