"""The texts of the files that a revision becomes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.alembic_import.graph import AlembicRevision
from tasks.alembic_import.transactions import BEGIN, COMMIT, divide, separate_boundaries
from tasks.postgres.tokens import BLANKS, COMMENTS, SPACE, tokenize
from tasks.runner.command_lines import compose_command
from tasks.runner.parsing import read_script

MARK_COMMAND = "inv db.mark $version$"
"""The command in a recorded statement that gets the version of its file."""
_RECORDED = "-- Recorded: as Alembic runs it on scratch, since it cannot be rendered offline.\n"
_AT_END_OF_LINE = re.compile(r"[ \t]+(?=\n)")


@dataclass(frozen=True, slots=True)
class RenderedRevision:
    """The statements of a revision as Alembic renders them; `irreversible` is why there are none for its downgrade."""

    revision: AlembicRevision
    up: tuple[str, ...]
    down: tuple[str, ...] = ()
    irreversible: str = ""
    warnings: tuple[str, ...] = ()
    recorded: bool = False
    """Whether the upgrade is what Alembic runs on scratch, since it cannot be rendered offline."""
    recorded_down: bool = False
    """Whether the downgrade is, too."""
    asks: bool = False
    """Whether a recorded upgrade fails where its queries have other answers than on scratch."""

    @property
    def is_empty(self) -> bool:
        """Return True if the upgrade has no statement."""
        return not self.up

    @property
    def digest(self) -> str:
        """Return a checksum of the statements of both directions."""
        texts = "\0".join((*self.up, "", *self.down))
        return hashlib.sha256(texts.encode()).hexdigest()


def clean_statements(texts: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], bool]:
    """Return rendered statements without the semicolon that Alembic adds, and without comments that are no part of one.

    Each is given as Alembic writes it, with spaces for tabs, and with its tabs; it has these if one is in a string or a name.
    Return also whether a statement has such a tab.
    """
    cleaned = [(_strip(written), _strip(whole)) for written, whole in texts]
    chosen = [(whole, True) if written != whole and _has_tab(whole) else (written, False) for written, whole in cleaned]
    parts = (part for text, _ in chosen if _has_statement(text) for part in separate_boundaries(text))
    return tuple(parts), any(has_tab for _, has_tab in chosen)


def _strip(text: str) -> str:
    """Return a statement without its last semicolon, and without spaces between tokens at the ends of its lines."""
    return "".join(
        _AT_END_OF_LINE.sub("", token.text) if token.kind == "space" else token.text
        for token in tokenize(text.removesuffix(";").strip())
    )


def _has_tab(text: str) -> bool:
    return any("\t" in token.text for token in tokenize(text, skip=BLANKS))


def has_statements(texts: Sequence[str]) -> bool:
    """Return True if one of the statements is not the begin or the end of a transaction."""
    return any(text not in (BEGIN, COMMIT) for text in texts)


def compose_up(rendered: RenderedRevision, version: str) -> str:
    """Return the text of the up file."""
    revision = rendered.revision
    description = " ".join(revision.doc.split()) or version.partition("_")[2].replace("_", " ")
    head = _compose_header(version, description, revision) + (_RECORDED if rendered.recorded else "")
    return f"{head}\n{_compose_body(_name_version(rendered.up, version))}"


def compose_down(rendered: RenderedRevision, version: str) -> str:
    """Return the text of the down file; one without statements if the downgrade has none."""
    revision = rendered.revision
    description = " ".join(revision.doc.split()) or version.partition("_")[2].replace("_", " ")
    header = _compose_header(version, f"Undo: {description}", revision)
    if rendered.irreversible:
        return f"{header}\n-- migrate: irreversible {' '.join(rendered.irreversible.split())}\n"
    if not rendered.down:
        return f"{header}\n-- The downgrade of this revision has no operations.\n"
    head = header + (_RECORDED if rendered.recorded_down else "")
    return f"{head}\n{_compose_body(_name_version(rendered.down, version))}"


def _name_version(texts: Iterable[str], version: str) -> list[str]:
    return [text.replace(MARK_COMMAND, compose_command("db.mark", version)) for text in texts]


def _compose_header(version: str, description: str, revision: AlembicRevision) -> str:
    # The id and the name of the file may contain line ends.
    source = " ".join(f"revision {revision.id}, {revision.path.name}".split())
    return f"-- Migration: {version}.sql\n-- Description: {description}\n-- Alembic: {source}\n"


def _compose_body(texts: Sequence[str]) -> str:
    """Return statements as a file whose transactions are those of the revision.

    Alembic begins one before the revision and ends it after it; inside an autocommit block there is none.
    """
    if not {BEGIN, COMMIT} & set(texts):
        return "".join(f"{end_statement(text)}\n\n" for text in texts).rstrip() + "\n"
    blocks = divide(texts)
    alone = [text for transactional, block in blocks if not transactional for text in block]
    # A statement that cannot run in a transaction needs no directive: it is a segment of its own anyway.
    directive = "" if all(_runs_alone(text) for text in alone) else "-- migrate: no-transaction\n\n"
    lines = []
    for transactional, block in blocks:
        whole = "\n\n".join(map(end_statement, block))
        lines.append(f"BEGIN;\n\n{whole}\n\nCOMMIT;\n" if transactional else f"{whole}\n")
    return directive + "\n".join(lines)


def _runs_alone(text: str) -> bool:
    return not any(statement.transactional for statement in read_script(end_statement(text), file="", version="").statements)


def _has_statement(text: str) -> bool:
    return any(token.kind not in COMMENTS for token in tokenize(text, skip=SPACE))


def end_statement(text: str) -> str:
    """Return a statement with its semicolon, which a comment at its end would contain otherwise."""
    if text.endswith(";"):
        last = list(tokenize(text, skip=SPACE))[-1]
        if last.kind not in COMMENTS:
            return text
    else:
        last = list(tokenize(text, skip=SPACE))[-1]
    return f"{text}\n;" if last.kind in COMMENTS else f"{text};"
