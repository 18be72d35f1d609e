"""Classify an old file by its replay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from tasks.catalog import Difference
from tasks.legacy.needs import Need, clear_platform, creates, find_need
from tasks.postgres.tokens import COMMENTS, SPACE, WORD, is_closed, tokenize
from tasks.rehearsal.replay.extensions import find_missing
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import ScriptError, read_script
from tasks.runner.parsing.source_text import BYTE_ORDER_MARK

Kind = Literal["works", "data only", "superseded", "no change", "repeatable", "needs", "fails"]
ASIDE: frozenset[Kind] = frozenset({"superseded", "no change", "repeatable"})
"""The kinds of files that are set aside, in addition to those that need what only other databases have."""

_RECORD = re.compile(r'^[ \t]*insert\s+into\s+(?:"?\w+"?\s*\.\s*)?"?schema_migrations"?(?![\w"])[^;]*;', re.I | re.M)
_ROW_KINDS = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt", "DoStmt", "CallStmt", "TruncateStmt", "CopyStmt"})
_CULPRITS = 6


@dataclass(frozen=True, slots=True)
class Classification:
    """What a file does; `cause` is the other file that makes it fail or have no effect."""

    kind: Kind
    reason: str = ""
    cause: str = ""
    need: Need | None = None
    creator: str = ""
    """The path of a file outside the clean-up that creates what is needed."""
    waits: bool = False
    """Whether it needs what another file of the clean-up would create, so that nothing is wrong with this one."""

    @property
    def goes_aside(self) -> bool:
        """Return True if the file is set aside: it is superseded, or needs what another platform provides."""
        return self.kind in ASIDE or (self.kind == "needs" and self.need is not None and bool(self.need.platform))

    @property
    def stops(self) -> bool:
        """Return True if nothing can be applied with this file; a missing extension can be installed on the target."""
        waits = self.kind == "needs" and self.need is not None and self.need.kind != "extension"
        return self.kind == "fails" or (waits and not self.goes_aside)


@dataclass(frozen=True, slots=True)
class Others:
    """The files around one that fails: name and text of each."""

    earlier: Sequence[tuple[str, str, Classification]] = ()
    """Those before it, with their classifications."""
    later: Iterable[tuple[str, str]] = ()
    outside: Callable[[Need], str] = field(default=lambda _: "")
    """Return the path of a file outside the clean-up that creates what is needed; empty if there is none."""


def describe_failure(error: RunnerError) -> str:
    """Return an error in one line, with its SQLSTATE."""
    message = error.message.partition("\n")[0]
    return f"{message} ({error.sqlstate})" if error.sqlstate else message


def rank_causes(text: str, message: str, created: Mapping[int, Set[str]]) -> list[int]:
    """Return the files that may make a text fail: those that created what it names, what the error names first."""
    words, mentioned = set(_read_words(text)), set(_read_words(message))
    shared = {index: names & words for index, names in created.items()}
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


def judge_error(error: RunnerError, text: str, cause: str, others: Others) -> Classification:
    """Classify a file that fails."""
    if is_markup(text):
        return Classification("fails", f"is not SQL (looks like HTML): {text.lstrip().partition(chr(10))[0][:60].strip()}")
    failure = describe_failure(error)
    need = find_need(error)
    if cause and (need is None or need.kind != "extension"):
        return Classification("superseded", f"fails after {cause}: {failure}", cause)
    waits = _find_blocker(error, need, others.earlier)
    if waits is not None:
        return waits
    if need is None:
        return Classification("fails", failure)
    if need.kind == "extension":
        return Classification("needs", f"needs {need}: {failure}", need=need, creator=others.outside(need))
    later = next((name for name, other in others.later if creates(other, need)), "")
    if later:
        return Classification("fails", f"needs {need}, which {later} creates, and that runs later: {failure}", need=need)
    need = clear_platform(need, text)
    if need.platform:
        return Classification("needs", f"needs {need}, which {need.platform} has and no file creates: {failure}", need=need)
    creator = others.outside(need)
    kind: Kind = "needs" if creator else "fails"
    return Classification(kind, f"needs {need}, which {creator or 'no file'} creates: {failure}", need=need, creator=creator)


def _find_blocker(
    error: RunnerError, need: Need | None, earlier: Sequence[tuple[str, str, Classification]]
) -> Classification | None:
    """Return the classification of a file that fails because an earlier one did: it needs what that one would create."""
    missing = set(find_missing(error))
    for name, text, verdict in earlier:
        if verdict.kind not in ("fails", "needs") or not missing:
            continue
        if creates(text, need) if need is not None else missing & set(_read_words(text)):
            origin = verdict.need if verdict.kind == "needs" and verdict.need else Need("file", name)
            which = "fails" if origin.kind == "file" else f"needs {origin}"
            reason = f"needs what {origin.name if origin.kind == 'file' else name} creates, which {which}"
            return Classification("needs", reason, need=origin, waits=True)
    return None


def _read_words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(WORD, text)]


def _bare(name: str) -> str:
    return name.partition("(")[0].rpartition(".")[2].strip('"').lower()
