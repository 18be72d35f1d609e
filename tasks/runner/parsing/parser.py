"""Reading a script with the parser: one pass that builds only the parts of the tree that are needed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from tasks.postgres.nontransactional import find_refusal, is_refusable
from tasks.postgres.targets import Node
from tasks.runner.parsing.checks import check_copy, check_escapes, check_index_name
from tasks.runner.parsing.directives import UNWRITTEN, Header, may_have_directives, read_header, refuse_unwritten
from tasks.runner.parsing.large.text import TextRange
from tasks.runner.parsing.ledger_statements import LedgerChecks, may_touch, may_write
from tasks.runner.parsing.psql import needs_psql, refuse_variable, take_copy_data
from tasks.runner.parsing.script import Script, Segment, Statement
from tasks.runner.parsing.sections import refuse_both_directions
from tasks.runner.parsing.segments import group
from tasks.runner.parsing.source_text import ScriptError, SqlText, find_statement, shorten, take_text, trim
from tasks.runner.parsing.unparsed import ParseFailure, keep_unparsed

_KIND = re.compile(r'"stmt":\{"(\w+)"')
PLAIN_WORDS = {"insert": "InsertStmt", "update": "UpdateStmt", "delete": "DeleteStmt", "select": "SelectStmt"}
_NODE_NEEDED = {"TransactionStmt", "CopyStmt", "VariableSetStmt", "InsertStmt", "SelectStmt"}


class _Shape(NamedTuple):
    """The kind of a statement and its node, which is empty where it is not needed."""

    kind: str
    node: Node


def parse_script(text: str, *, file: str, version: str, ledger_schema: str) -> Script:
    """Read the text of a file; raises ScriptError for one that cannot be run."""
    sql = take_text(text, file)
    lowered = sql.text.lower()
    copies: dict[int, str | TextRange] = {}
    if needs_psql(lowered):
        try:
            sql, taken = take_copy_data(sql)
        except ScriptError:
            check_escapes(sql)  # a better reason
            raise
        check_escapes(sql)
        copies = {copy.start: copy.data for copy in taken}
    refuse_both_directions(sql)
    header = read_header(sql) if may_have_directives(lowered) else Header()
    if header.irreversible is None and UNWRITTEN in sql.text:
        refuse_unwritten(sql)
    parsed = parse_statements(sql, copies)
    if isinstance(parsed, ParseFailure):
        if header.irreversible is not None:
            raise _refuse_content(sql, header)
        refuse_variable(sql, parsed.offset)
        kept = keep_unparsed(sql, parsed, has_copy_data=bool(copies), transactional=not header.no_transaction)
        return replace(kept, after_deploy=header.after_deploy, lock_timeout_ms=header.lock_timeout_ms)
    if header.irreversible is not None:
        if parsed:
            raise _refuse_content(sql, header)
        return Script((), irreversible=header.irreversible, after_deploy=header.after_deploy)
    records_itself = check_statements(parsed, sql, LedgerChecks(version, ledger_schema))
    segments = group(parsed, sql, no_transaction=header.no_transaction)
    return Script(
        segments or (Segment((), True),),
        records_itself,
        after_deploy=header.after_deploy,
        lock_timeout_ms=header.lock_timeout_ms,
    )


def check_statements(items: Iterable[tuple[Statement, Node]], sql: SqlText, ledger: LedgerChecks) -> bool:
    """Return True if a statement records the file's own version; raises ScriptError for one that cannot be run."""
    records_itself = False
    for statement, node in items:
        if statement.kind == "CopyStmt":
            check_copy(statement, node, sql)
        elif statement.kind == "IndexStmt" and not statement.transactional:
            check_index_name(statement, node, sql)
        records_itself |= ledger.check(statement, node, sql)
    return records_itself


def parse_statements(sql: SqlText, copies: Mapping[int, str | TextRange]) -> list[tuple[Statement, Node]] | ParseFailure:
    """Return the statements of the text, each with its node if that is needed, or the parser's error."""
    from pglast.parser import ParseError, split

    found: list[tuple[Statement, Node]] = []
    line, counted, end = sql.line, 0, 0
    try:
        for piece in split(sql.text):
            start = sql.text.index(piece, find_statement(sql.text, end))
            end = start + len(piece)
            line += sql.text.count("\n", counted, start)
            counted = start
            text = trim(piece)
            shape = _read_shape(text)
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
        # An error without an offset is at the end of the text, or in a statement whose tree is too deep.
        offset = offset if offset is not None else counted or len(sql.text.rstrip())
        return ParseFailure(shorten(str(message), sql.text[offset:]), offset)
    except RecursionError:
        return ParseFailure("the statement is nested too deeply for the parser", counted)
    return found


def _read_shape(text: str) -> _Shape:
    """Return the kind of a statement, and its node if that decides anything.

    The tree of a large INSERT is ten times its text, so a statement that only changes rows is recognised by its first word.
    """
    from pglast.parser import parse_sql_json

    plain = PLAIN_WORDS.get(text[:6].lower())
    if plain is not None and not _needs_tree(plain, text):
        return _Shape(plain, {})
    tree = parse_sql_json(text)
    match = _KIND.search(tree)
    kind = match.group(1) if match else ""
    if kind not in _NODE_NEEDED and not is_refusable(kind) and not may_touch(text.lower()):
        return _Shape(kind, {})
    return _Shape(kind, json.loads(tree)["stmts"][0]["stmt"][kind])


def _needs_tree(kind: str, text: str) -> bool:
    lowered = text.lower()
    return may_write(lowered) or ("set_config" in lowered and kind == "SelectStmt")


def _sets_session(shape: _Shape) -> bool:
    """Return True if a statement changes a setting for longer than its transaction: SET, RESET, or set_config() alone."""
    if shape.kind == "VariableSetStmt":
        return not shape.node.get("is_local") and not str(shape.node.get("name", "")).startswith("TRANSACTION")
    if shape.kind != "SelectStmt":
        return False
    for item in shape.node.get("targetList", ()):
        call = item["ResTarget"].get("val", {}).get("FuncCall", {})
        if call and call["funcname"][-1]["String"]["sval"] == "set_config":
            # True as its third argument limits it to the transaction: https://www.postgresql.org/docs/current/functions-admin.html
            local = call.get("args", [{}])[-1].get("A_Const", {}).get("boolval", {}).get("boolval", False)
            return not local
    return False


def _refuse_content(sql: SqlText, header: Header) -> ScriptError:
    return sql.error(
        header.at,
        "the file is marked as irreversible, but contains SQL",
        hint="Delete this line, or everything except this line.",
    )
