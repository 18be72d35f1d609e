"""Classify an old file by its replay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.catalog import Difference
from tasks.postgres.tokens import COMMENTS, SPACE, WORD, is_closed, tokenize
from tasks.rehearsal.replay.extensions import find_part
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import ScriptError, read_script
from tasks.runner.parsing.source_text import BYTE_ORDER_MARK

Kind = Literal["works", "data only", "superseded", "no change", "repeatable", "needs", "fails"]
ASIDE: frozenset[Kind] = frozenset({"superseded", "no change", "repeatable"})
"""The kinds of files that are set aside, in addition to those that need what only other databases have."""

_RECORD = re.compile(r'^[ \t]*insert\s+into\s+(?:"?\w+"?\s*\.\s*)?"?schema_migrations"?(?![\w"])[^;]*;', re.I | re.M)
_NAMED = {"3F000": re.compile(r'(schema) "([^"]+)"'), "42704": re.compile(r'(role|type) "([^"]+)"')}
_RELATION = re.compile(r'relation "([^"]+)" does not exist')
_ROW_KINDS = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt", "DoStmt", "CallStmt", "TruncateStmt", "CopyStmt"})
_CULPRITS = 6


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a file needs and scratch lacks: an extension, a role, a schema, a type or a table."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Classification:
    """What a file does; `cause` is the other file that makes it fail or have no effect."""

    kind: Kind
    reason: str = ""
    cause: str = ""
    need: Need | None = None

    @property
    def goes_aside(self) -> bool:
        """Return True if the file is set aside; an extension can be installed, what was made by hand cannot."""
        return self.kind in ASIDE or (self.need is not None and self.need.kind != "extension")


def find_need(error: RunnerError) -> Need | None:
    """Return what an error misses, if no file creates it."""
    message = error.message.partition("\n")[0]
    pattern = _NAMED.get(error.sqlstate)
    match = pattern.search(message) if pattern else None
    if match and match[1] != "type":
        return Need(match[1], match[2])
    extension = find_part(error)
    if extension:
        return Need("extension", extension)
    return Need("type", match[2]) if match else None


def find_lacking_table(error: RunnerError) -> str:
    """Return the table that an error misses."""
    match = _RELATION.search(error.message.partition("\n")[0]) if error.sqlstate == "42P01" else None
    return match[1].rpartition(".")[2] if match else ""


def describe_failure(error: RunnerError) -> str:
    """Return an error in one line, with its SQLSTATE."""
    message = error.message.partition("\n")[0]
    return f"{message} ({error.sqlstate})" if error.sqlstate else message


def rank_causes(text: str, message: str, effects: Mapping[int, Difference]) -> list[int]:
    """Return the files that may make a text fail: those that created what it names, what the error names first."""
    words, mentioned = set(_read_words(text)), set(_read_words(message))
    shared = {index: list_names(effect) & words for index, effect in effects.items()}
    ranked = sorted(
        (index for index, names in shared.items() if names),
        key=lambda index: (-len(shared[index] & mentioned), -len(shared[index]), -index),
    )
    return ranked[:_CULPRITS]


def list_names(effect: Difference) -> set[str]:
    """Return the unqualified names of what an effect created or changed."""
    keys = [change.key for change in effect.changes if change.after is not None]
    return {_bare(key.parent or key.name) for key in keys} | {_bare(key.name) for key in keys if key.kind == "column"}


def moves_rows(text: str) -> bool:
    """Return True if a text has statements that change existing rows."""
    try:
        statements = read_script(text, file="", version="").statements
    except ScriptError:
        return False
    return any(
        statement.kind in _ROW_KINDS
        or (statement.kind == "InsertStmt" and re.search(r"\bselect\b", statement.text, re.IGNORECASE) is not None)
        or "setval" in statement.text.lower()
        for statement in statements
    )


def is_empty(text: str) -> bool:
    """Return True if a text has no statement."""
    tokens = tokenize(text.replace(BYTE_ORDER_MARK, " "), skip=SPACE)
    return all(token.text == ";" or (token.kind in COMMENTS and is_closed(token)) for token in tokens)


def find_records(text: str) -> list[tuple[int, str]]:
    """Return the statements that record the file in schema_migrations: line and text."""
    return [(text.count("\n", 0, match.start()) + 1, match[0].strip()) for match in _RECORD.finditer(text)]


def blank_records(text: str) -> str:
    """Return a text without the statements that record it in a ledger; line numbers are kept."""
    return _RECORD.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def is_markup(text: str) -> bool:
    """Return True if a text looks like HTML rather than SQL."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def judge_error(
    error: RunnerError, text: str, cause: str, earlier: Sequence[tuple[str, str, Classification]], makers: Iterable[str]
) -> Classification:
    """Classify a file that fails; `earlier` has name, text and result of the files before it, `makers` all other texts."""
    if is_markup(text):
        return Classification("fails", f"is not SQL (looks like HTML): {text.lstrip().partition(chr(10))[0][:60].strip()}")
    need = find_need(error)
    if need is not None:
        return Classification("needs", f"needs {need}: {describe_failure(error)}", need=need)
    if cause:
        return Classification("superseded", f"fails after {cause}: {describe_failure(error)}", cause)
    table = find_lacking_table(error)
    for name, other, verdict in earlier:
        if verdict.need is not None and table and table in _read_words(other):
            return Classification("needs", f"needs what {name} creates, which needs {verdict.need}", need=verdict.need)
    if table and not any(_makes(table, other) for other in makers):
        return Classification("needs", f"needs the table {table}, which no file creates", need=Need("table", table))
    return Classification("fails", describe_failure(error))


def _makes(table: str, text: str) -> bool:
    pattern = rf'create\s+(?:\w+\s+)*?(?:table|view)\s+(?:if\s+not\s+exists\s+)?(?:"?\w+"?\.)?"?{re.escape(table)}"?(?!\w)'
    return re.search(pattern, text, re.IGNORECASE) is not None


def _read_words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(WORD, text)]


def _bare(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2].strip('"').lower()
