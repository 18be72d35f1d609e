"""What is to be said of an old file once it was replayed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.catalog import Difference
from tasks.rehearsal.errors import MissingExtensionError
from tasks.rehearsal.replay.extensions import find_part
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import ScriptError, read_script

Kind = Literal["works", "data only", "superseded", "no change", "needs", "fails"]
ASIDE: frozenset[Kind] = frozenset({"superseded", "no change"})
"""What is said of files that go aside, besides those that need what only other databases have."""

_RECORD = re.compile(r'^[ \t]*insert\s+into\s+(?:"?\w+"?\s*\.\s*)?"?schema_migrations"?(?![\w"])[^;]*;', re.I | re.M)
_NAMED = {"3F000": re.compile(r'(schema) "([^"]+)"'), "42704": re.compile(r'(role|type) "([^"]+)"')}
_RELATION = re.compile(r'relation "([^"]+)" does not exist')
_WORD = re.compile(r"[a-z_][a-z0-9_$]*", re.IGNORECASE)
_ROW_KINDS = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt", "DoStmt", "CallStmt", "TruncateStmt", "CopyStmt"})
_CULPRITS = 6


@dataclass(frozen=True, slots=True)
class Need:
    """Name what a file needs that is not here: an extension, a role, a schema, a type or a table."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Classification:
    """Say what a file is worth; `culprit` is the other file on account of which it is worth nothing."""

    kind: Kind
    reason: str = ""
    cause: str = ""
    need: Need | None = None

    @property
    def goes_aside(self) -> bool:
        """Tell whether the file is to be moved where no run finds it; an extension can be had, what was made by hand cannot."""
        return self.kind in ASIDE or (self.need is not None and self.need.kind != "extension")


def find_need(error: RunnerError) -> Need | None:
    """Find out from an error what is not here, where that is nothing that a file makes."""
    if isinstance(error, MissingExtensionError):
        return Need("extension", error.extension)
    said = error.message.partition("\n")[0]
    pattern = _NAMED.get(error.sqlstate)
    match = pattern.search(said) if pattern else None
    if match and match[1] != "type":
        return Need(match[1], match[2])
    extension = find_part(error)
    if extension:
        return Need("extension", extension)
    return Need("type", match[2]) if match else None


def find_lacking_table(error: RunnerError) -> str:
    """Name the table that an error misses."""
    match = _RELATION.search(error.message.partition("\n")[0]) if error.sqlstate == "42P01" else None
    return match[1].rpartition(".")[2] if match else ""


def tell_error(error: RunnerError) -> str:
    """Write an error in one line, with its SQLSTATE."""
    said = error.message.partition("\n")[0]
    return f"{said} ({error.sqlstate})" if error.sqlstate else said


def rank_causes(text: str, said: str, effects: Mapping[int, Difference]) -> list[int]:
    """List the files that may stand in the way of a text: those that made what it names, what an error says of it first."""
    words, told = set(_read_words(text)), set(_read_words(said))
    shared = {index: list_names(effect) & words for index, effect in effects.items()}
    ranked = sorted(
        (index for index, names in shared.items() if names),
        key=lambda index: (-len(shared[index] & told), -len(shared[index]), -index),
    )
    return ranked[:_CULPRITS]


def list_names(effect: Difference) -> set[str]:
    """List the bare names of what an effect made or changed."""
    keys = [change.key for change in effect.changes if change.after is not None]
    return {_bare(key.parent or key.name) for key in keys} | {_bare(key.name) for key in keys if key.kind == "column"}


def moves_rows(text: str) -> bool:
    """Tell whether a text holds statements that change rows, where there are rows to change."""
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
    """Tell whether a text holds no statement at all."""
    return not re.sub(r"--[^\n]*|/\*.*?\*/|[\s;\ufeff]+", "", text, flags=re.DOTALL)


def find_records(text: str) -> list[tuple[int, str]]:
    """Find the statements by which a file records itself in schema_migrations: line and text."""
    return [(text.count("\n", 0, match.start()) + 1, match[0].strip()) for match in _RECORD.finditer(text)]


def blank_records(text: str) -> str:
    """Take out the statements by which a file records itself; the lines keep their numbers."""
    return _RECORD.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def is_markup(text: str) -> bool:
    """Tell whether a text is a page of a browser rather than SQL."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def judge_error(
    error: RunnerError, text: str, cause: str, earlier: Sequence[tuple[str, str, Classification]], makers: Iterable[str]
) -> Classification:
    """Judge a file that fails; `earlier` are name, text and verdict of files before it, `makers` the texts of all others."""
    if is_markup(text):
        return Classification("fails", f"is no SQL, but a page of markup: {text.lstrip().partition(chr(10))[0][:60].strip()}")
    need = find_need(error)
    if need is not None:
        return Classification("needs", f"needs {need}: {tell_error(error)}", need=need)
    if cause:
        return Classification("superseded", f"fails after {cause}: {tell_error(error)}", cause)
    table = find_lacking_table(error)
    for name, other, verdict in earlier:
        if verdict.need is not None and table and table in _read_words(other):
            return Classification("needs", f"needs what {name} makes, which needs {verdict.need}", need=verdict.need)
    if table and not any(_makes(table, other) for other in makers):
        return Classification("needs", f"needs the table {table}, which no file here makes", need=Need("table", table))
    return Classification("fails", tell_error(error))


def _makes(table: str, text: str) -> bool:
    pattern = rf'create\s+(?:\w+\s+)*?(?:table|view)\s+(?:if\s+not\s+exists\s+)?(?:"?\w+"?\.)?"?{re.escape(table)}"?(?!\w)'
    return re.search(pattern, text, re.IGNORECASE) is not None


def _read_words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _bare(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2].strip('"').lower()
