"""Texts → files to lint: statements with their parse trees, and the comments that ignore a rule."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from tasks.lint.model import IgnoreComment, LintedFile, LintedStatement, Node
from tasks.postgres.tokens import COMMENTS, tokenize
from tasks.rehearsal.model import RehearsedMigration
from tasks.runner.parsing import Script, Statement, read_script

_LARGEST_TREE = 200_000
"""The characters of the longest INSERT whose tree is built: it is ten times its text, and no rule needs the rows."""
_IGNORE = re.compile(r"--\s*(?:lint\s*:\s*ignore|squawk-ignore(?:-file)?)(?![\w-])\s*:?(.*)", re.IGNORECASE)
_REASON = re.compile(r"(?:^|\s+)--\s*")


def read_file(migration: RehearsedMigration) -> LintedFile:
    """Read a migration; raises ScriptError for an up file that cannot be run."""
    script = read_script(migration.up, file=migration.shown, version=migration.name)
    statements = tuple(_list_statements(script))
    return LintedFile(
        migration.name,
        migration.shown or migration.name,
        migration.up,
        statements,
        migration.down,
        migration.shown_down,
        bool(getattr(script, "after_deploy", False)),
        tuple(_read_ignores(migration.up, script)),
    )


def _list_statements(script: Script) -> Iterator[LintedStatement]:
    number = 0
    for place, segment in enumerate(script.segments, 1):
        for statement in segment.statements:
            number += 1
            yield LintedStatement(
                number,
                statement.line,
                statement.text,
                statement.offset,
                statement.kind,
                _read_node(statement),
                segment.transactional,
                place,
            )


def _read_node(statement: Statement) -> Node:
    """Return the node of a statement; empty where the parser does not know it, or where it is only rows."""
    from pglast.parser import ParseError, parse_sql_json

    if not statement.kind or (statement.kind == "InsertStmt" and len(statement.text) > _LARGEST_TREE):
        return {}
    try:
        found: Node = json.loads(parse_sql_json(statement.text))["stmts"][0]["stmt"].get(statement.kind, {})
    except (ParseError, RecursionError):
        return {}
    return found


def _read_ignores(text: str, script: Script) -> Iterator[IgnoreComment]:
    """Yield the comments that ignore a rule, one for each rule that they name; one without a rule has an empty name."""
    text = _blank_copies(text, script)
    lines = text.split("\n")
    for token in tokenize(text):
        match = _IGNORE.match(token.text) if token.kind in COMMENTS else None
        if match is None:
            continue
        line = text.count("\n", 0, token.start) + 1
        rules, reason = (*_REASON.split(match[1].strip(), maxsplit=1), "")[:2]
        target = _find_target(lines, line)
        for rule in [each.strip() for each in rules.split(",")]:
            yield IgnoreComment(line, rule, reason.strip(), target)


def _find_target(lines: list[str], line: int) -> int:
    """Return the line to which a comment applies: the next one, after other comments; 0 for an empty line or the end."""
    for number in range(line + 1, len(lines) + 1):
        content = lines[number - 1].strip()
        if not content.startswith("--"):
            return number if content else 0
    return 0


def _blank_copies(text: str, script: Script) -> str:
    """Return the text without the data of COPY … FROM stdin, in which nothing is a comment; lines keep their numbers."""
    for statement in script.statements:
        data = statement.data
        if data:
            start = text.find(data, statement.offset + len(statement.text))
            if start >= 0:
                blank = "\n" * data.count("\n")
                blank = " " * (len(data) - len(blank)) + blank
                text = text[:start] + blank + text[start + len(data) :]
    return text
