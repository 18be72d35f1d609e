"""Reading the texts that a plan will run: from the files, else from the ledger."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import pq

from tasks.postgres.masking import diff_masked, mask_secrets
from tasks.postgres.quoting import quote_identifier
from tasks.postgres.representable import count_characters, fit_comments
from tasks.runner.database.session import read_encoding
from tasks.runner.errors import FilesError, Place, RefusedError
from tasks.runner.files.checkout import read_source, show_path
from tasks.runner.files.decoding import skip_encoding
from tasks.runner.ledger.privileges import describe_unreadable
from tasks.runner.ledger.vouching import (
    StoredTexts,
    Trust,
    Voucher,
    describe_unkept,
    find_writers,
    is_masked,
    read_stored,
    strip_mark,
)
from tasks.runner.parsing.invisible import list_invisible
from tasks.runner.parsing.source_text import shorten
from tasks.runner.planning.failures import find_place
from tasks.runner.planning.hints import FIX_FILE
from tasks.runner.planning.plan import Source
from tasks.runner.redaction import redact

if TYPE_CHECKING:
    from tasks.runner.events import Finding
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.planning.choice import Choice
    from tasks.runner.planning.plan import Plan

_NOTHING = StoredTexts()
_COMMIT = re.compile("[0-9a-f]{7,64}")
_LARGEST_COMPARED = 1024 * 1024
"""The time of a comparison grows faster than the texts."""
_PREFIX = "SELECT 1;SELECT 1;"
"""What makes several statements of a text. It precedes the text, because messages quote what follows the error."""


def read_sources(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, choice: Choice) -> dict[str, Source]:
    """Return the text of each chosen version.

    A rollback runs the down file of the checkout or, without one, the stored text if the log vouches for it. Raises FilesError
    for a file that is not valid UTF-8 text, and RefusedError for a rollback without a down text that may run.
    """
    if choice.action == "rollback":
        lacking = [version for version in choice.versions if version not in migrations.downs]
        stored = read_stored(connection, ledger, lacking)
        refused = [version for version in lacking if stored.get(version, _NOTHING).judge_down().trust == Trust.REFUSED]
        if refused:
            raise _refuse_stored(refused[0], stored[refused[0]], migrations, find_writers(connection, ledger))
        return {version: _read_down(migrations, version, stored.get(version, _NOTHING)) for version in choice.versions}
    return {version: _read_up(migrations, version) for version in choice.versions}


def add_diffs(
    connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, findings: Iterable[Finding]
) -> tuple[Finding, ...]:
    """Return the findings, those of edited files with the difference from the text that was applied."""
    if "_scripts" in ledger.unreadable:
        unread = f"the text that was applied is {describe_unreadable(ledger.schema, ['_scripts'])}"
        return tuple(replace(each, diff=unread if each.kind == "edited" else "") for each in findings)
    found = tuple(findings)
    stored = read_stored(connection, ledger, [finding.version for finding in found if finding.kind == "edited"])
    return tuple(
        replace(finding, diff=_diff(stored[finding.version], migrations.up_path(finding.version)))
        if finding.version in stored and finding.kind == "edited"
        else replace(finding, diff="")
        for finding in found
    )


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
    if version not in migrations.downs:
        return Source(up.shown, up.content, up.checksum, notes=up.notes, size=up.size)
    return Source(up.shown, up.content, up.checksum, read_source(migrations.down_path(version)), up.notes, up.size)


def _read_down(migrations: Migrations, version: str, stored: StoredTexts) -> Source:
    if version in migrations.downs:
        down = read_source(migrations.down_path(version))
        return Source(down.shown, down.content, down.checksum, notes=down.notes)
    judgement = stored.judge_down()
    if stored.down is not None and judgement.trust in (Trust.VOUCHED, Trust.UNKNOWN):
        unverified = judgement.reason if judgement.trust == Trust.UNKNOWN else ""
        return Source(f"(stored) down/{version}.sql", skip_encoding(stored.down), unverified=unverified)
    shown = f"{show_path(migrations.down_folder)}/{version}.sql"
    unkept = judgement.trust == Trust.ABSENT and stored.voucher.down_size is not None
    if unkept or judgement.trust == Trust.MASKED:
        reason = judgement.reason if unkept else "the passwords in the stored text are masked"
        raise RefusedError(
            f"{version} cannot be rolled back without its down file: {reason}",
            hint=_describe_restoring(migrations, version, stored.voucher if unkept else Voucher()),
            state="Nothing was changed.",
            place=Place(shown),
        )
    write = f"Write {shown}, then run the command again"
    if migrations.flat:
        write = "Move the files of this flat folder to up/, write the down file in down/, then run the command again"
    raise RefusedError(
        f"{version} cannot be rolled back: there is no down file, and none was stored when it was applied",
        hint=f"{write},\nor write a new migration instead: inv db.new NAME",
        state="Nothing was changed.",
        place=Place(shown),
    )


def _describe_restoring(migrations: Migrations, version: str, voucher: Voucher) -> str:
    """Return how to restore a down file, from the commit that was applied if the log has it under the same name.

    A down file cannot be without its up file.
    """
    down = migrations.down_path(version)
    if os.path.lexists(down):
        return f"Run the command without --stored-down: then {shlex.quote(show_path(down))} runs."
    paths = [down] if version in migrations.checksums else [migrations.up_path(version), down]
    files = [shlex.quote(show_path(path)) for path in paths]
    hint = f"Restore {' and '.join(files)} from git, then run the command again"
    if voucher.name != version or not _COMMIT.fullmatch(voucher.git_revision):
        return f"{hint}."
    return f"{hint}:\n  git checkout {voucher.git_revision} -- {' '.join(files)}"


def _refuse_stored(version: str, stored: StoredTexts, migrations: Migrations, writers: tuple[str, ...]) -> RefusedError:
    """Return the refusal of a rollback whose stored text was not applied by this tool, with the roles that could write it."""
    shown = f"{show_path(migrations.down_folder)}/{version}.sql"
    named = ", ".join(map(quote_identifier, writers))
    who = f"Roles that may write schema_migrations_scripts: {named}." if writers else ""
    restore = f"Restore {shlex.quote(shown)} from git, then run the command again: the file runs instead."
    if not stored.voucher.applied:
        restore += "\nIf the migration never ran here, drop its row: inv db.repair"
    return RefusedError(
        f"{version} cannot be rolled back: there is no down file, and the stored text is not one that this tool applied: "
        f"{stored.judge_down().reason}",
        hint="\n".join(filter(None, (who, restore))),
        state="Nothing was changed.",
        place=Place(shown),
    )


def _diff(stored: StoredTexts, path: Path) -> str:
    """Return the difference of a file from the text that was applied, or why it is not known."""
    applied = stored.up
    if applied is None:
        size = stored.voucher.up_size
        return "" if size is None else describe_unkept(size)
    try:
        current = read_source(path)
    except FilesError as error:
        return error.message
    if max(len(applied), current.size) > _LARGEST_COMPARED:
        return f"the file and the text that was applied are too large to be compared here: {current.size:,} bytes now"
    before = strip_mark(skip_encoding(applied))
    after = mask_secrets(current.text) if is_masked(applied) else current.text
    lines = list(diff_masked(before, after, ("as applied", f"{current.shown} now")))
    if "".join(before.split()) == "".join(after.split()):
        lines.insert(0, f"only spaces{', passwords' if is_masked(applied) else ''} or line ends differ")
    return "\n".join(lines)
