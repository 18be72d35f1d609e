"""Reading the texts that a plan will run: from the files, else from the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import pq, sql

from tasks.postgres.masking import diff_masked
from tasks.postgres.representable import count_characters, fit_comments, restore_text
from tasks.runner.database.session import read_encoding
from tasks.runner.errors import FilesError, Place, RefusedError
from tasks.runner.events import Finding
from tasks.runner.files.checkout import Migrations, read_source, show_path
from tasks.runner.files.decoding import skip_encoding
from tasks.runner.ledger.reading import Ledger
from tasks.runner.parsing.invisible import list_invisible
from tasks.runner.parsing.source_text import shorten
from tasks.runner.planning.choice import Choice
from tasks.runner.planning.failures import find_place
from tasks.runner.planning.hints import FIX_FILE
from tasks.runner.planning.plan import Plan, Source
from tasks.runner.redaction import redact

_PREFIX = "SELECT 1;SELECT 1;"
"""What makes several statements of a text. It precedes the text, because messages quote what follows the error."""


def read_sources(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, choice: Choice) -> dict[str, Source]:
    """Return the text of each chosen version.

    Raises FilesError for a file that is not valid UTF-8 text, and RefusedError for a rollback without a down text.
    """
    if choice.action == "rollback":
        return {
            version: _read_down(migrations, version, _read_stored(connection, ledger, version)) for version in choice.versions
        }
    return {version: _read_up(migrations, version) for version in choice.versions}


def add_diffs(
    connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """Return the findings, those of edited files with the difference from the text that was applied."""
    completed = []
    for finding in findings:
        diff = ""
        if finding.kind == "edited":
            applied, _ = _read_stored(connection, ledger, finding.version)
            diff = _diff(applied, migrations.up_path(finding.version))
        completed.append(replace(finding, diff=diff))
    return tuple(completed)


def check_syntax(connection: psycopg.Connection, plan: Plan) -> None:
    """Check on the server the syntax of texts that our parser does not know, without running them; raises RefusedError.

    The server refuses to prepare a text of several statements only after it has parsed all of it; an error with a position is
    therefore a syntax error. https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
    """
    for step in plan.steps:
        if step.script.parsed:
            continue
        text, start = step.script.statements[0].text, step.script.statements[0].offset
        encoding = read_encoding(connection)
        result = connection.pgconn.prepare(b"", f"{_PREFIX}{fit_comments(text, encoding)}".encode())
        position = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
        if result.status == pq.ExecStatus.FATAL_ERROR and position:
            reason = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"syntax error").decode()
            offset = min(count_characters(text, int(position) - 1 - len(_PREFIX), encoding), len(text.rstrip()))
            named = list_invisible(step.source.text, step.source.shown, step.script.statements[0])
            raise RefusedError(
                redact("\n".join((shorten(reason, text[offset:]), *named)), statement=text),
                hint=FIX_FILE,
                state="Nothing was changed.",
                place=find_place(step.source.text, step.source.shown, start + offset),
                sqlstate="42601",
            )


def _read_up(migrations: Migrations, version: str) -> Source:
    up = read_source(migrations.up_path(version))
    down = read_source(migrations.down_path(version)).text if version in migrations.downs else None
    return Source(up.shown, up.text, up.checksum, down, up.notes)


def _read_down(migrations: Migrations, version: str, stored: tuple[str | None, str | None]) -> Source:
    if version in migrations.downs:
        down = read_source(migrations.down_path(version))
        return Source(down.shown, down.text, down.checksum, notes=down.notes)
    if stored[1] is not None:
        return Source(f"(stored) down/{version}.sql", skip_encoding(stored[1]))
    shown = show_path(migrations.down_path(version))
    write = f"Write {shown}, then run the command again"
    if migrations.flat:
        write = "Move the files of this flat folder to up/, write the down file in down/, then run the command again"
    raise RefusedError(
        f"{version} cannot be rolled back: there is no down file, and none was stored when it was applied",
        hint=f"{write},\nor write a new migration instead: inv db.new NAME",
        state="Nothing was changed.",
        place=Place(shown),
    )


def _read_stored(connection: psycopg.Connection, ledger: Ledger, version: str) -> tuple[str | None, str | None]:
    """Return the up and down text that the ledger stores of a version."""
    if not ledger.complete:
        return None, None
    query = sql.SQL("SELECT up_text, down_text FROM {} WHERE version = %s").format(ledger.table("_scripts"))
    row = connection.execute(query, [ledger.recorded_name(version)]).fetchone()
    up, down = row if row else (None, None)
    return up and restore_text(up), down and restore_text(down)


def _diff(applied: str | None, path: Path) -> str:
    """Return the difference of a file from the text that was applied, or why it cannot be read."""
    if applied is None:
        return ""
    try:
        current = read_source(path)
    except FilesError as error:
        return error.message
    before = skip_encoding(applied)
    lines = list(diff_masked(before, current.text, ("as applied", f"{current.shown} now")))
    if "".join(before.split()) == "".join(current.text.split()):
        lines.insert(0, "only spaces or line ends differ")
    return "\n".join(lines)
