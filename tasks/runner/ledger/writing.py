"""Writing to the ledger: applied rows, stored texts, and the log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import pq, sql

from tasks.postgres.representable import fit_name, store_text
from tasks.runner.database.own_connection import find_own_settings
from tasks.runner.database.session import read_encoding, run_sql
from tasks.runner.database.session_settings import SESSION_DEFAULTS
from tasks.runner.identity import Identity, Revision
from tasks.runner.ledger.guard import compose_guard, compose_prepared_guard
from tasks.runner.ledger.history import FOUND
from tasks.runner.ledger.long_texts import LONG_TEXT, copy_texts
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.renames import Rename
from tasks.runner.ledger.vouching import DIGESTS, FileTexts, mask_text
from tasks.runner.settings import KEEP_TEXT

_LOG_COLUMNS = (
    "run_id, version, action, outcome, segments_done, segments_total, segments_checksum,"
    " actor, host, git_revision, git_dirty, tool_version, sqlstate, error, duration_ms, note, locks"
)
_LOG_VALUES = (
    "{run_id}, {version}, {action}, {outcome}, {done}, {total}, {segments_checksum},"
    " {actor}, {host}, {commit}, {dirty}, {tool}, {sqlstate}, {error}, {duration_ms}, {note}, {locks}"
)
_LOG = f"INSERT INTO {{log}} ({_LOG_COLUMNS}) VALUES ({_LOG_VALUES})"
_WITH_LOG = f"WITH log AS ({_LOG})"
_DIGEST_COLUMNS = f"{_LOG_COLUMNS}, {', '.join(DIGESTS)}"
_DIGEST_VALUES = f"{_LOG_VALUES}, {', '.join(f'{{{name}}}' for name in DIGESTS)}"
_WITH_DIGESTS = f"WITH log AS (INSERT INTO {{log}} ({_DIGEST_COLUMNS}) VALUES ({_DIGEST_VALUES}))"
APPLIED = f"""
{_WITH_DIGESTS},
     script AS (INSERT INTO {{scripts}} (version, up_text, down_text) VALUES ({{version}}, {{up_text}}, {{down_text}})
                ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text)
INSERT INTO {{ledger}} AS row (version, applied_at, applied_by, checksum, execution_time_ms)
VALUES ({{version}}, clock_timestamp() AT TIME ZONE 'UTC', {{actor}}, {{checksum}}, {{duration_ms}})
"""
_APPLIED_WITHOUT_TEXTS = f"""
{_WITH_DIGESTS}
INSERT INTO {{ledger}} AS row (version, applied_at, applied_by, checksum, execution_time_ms)
VALUES ({{version}}, clock_timestamp() AT TIME ZONE 'UTC', {{actor}}, {{checksum}}, {{duration_ms}})
"""
VARIES = ("version", "done", "total", "duration_ms", "locks", "checksum", "up_text", "down_text", *DIGESTS)
"""The values that differ between the rows of applied migrations; the others are constant during a run."""
_TABLES = {"{ledger}": "schema_migrations", "{log}": "schema_migrations_log"} | {
    f"{{{name}}}": f"schema_migrations_{name}" for name in ("scripts", "seeds")
}
"""The tables by their places in the statements."""
_TEXTS = ("up_text", "down_text")
_SIZES = {"actor": 255, "host": 255, "applied_by": 255}
"""The sizes of the columns of names, which an escape could exceed."""
COMPLETE_OWN_ROW = """
ON CONFLICT (version) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = coalesce(row.applied_by, excluded.applied_by),
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""
REVERTED = f"""
{_WITH_LOG},
     script AS (DELETE FROM {{scripts}} WHERE version = {{version}})
DELETE FROM {{ledger}} WHERE version = {{version}}
"""
SEEDED = f"""
{_WITH_LOG}
INSERT INTO {{seeds}} (name, applied_at, applied_by, checksum, execution_time_ms)
VALUES ({{version}}, clock_timestamp() AT TIME ZONE 'UTC', {{actor}}, {{checksum}}, {{duration_ms}})
ON CONFLICT (name) DO UPDATE
   SET applied_at = excluded.applied_at, applied_by = excluded.applied_by,
       checksum = excluded.checksum, execution_time_ms = excluded.execution_time_ms
"""
_RENAMED = f"""
WITH log AS (INSERT INTO {{log}} ({_LOG_COLUMNS}, up_digest) VALUES ({_LOG_VALUES}, {{up_digest}})),
     script AS (UPDATE {{scripts}} SET version = {{version}} WHERE version = {{recorded}}
                   AND NOT EXISTS (SELECT FROM {{scripts}} WHERE version = {{version}}))
UPDATE {{ledger}} SET version = {{version}}, checksum = coalesce({{checksum}}, checksum) WHERE version = {{recorded}}
"""
_DROPPED = f"""
{_WITH_LOG},
     script AS (DELETE FROM {{scripts}} WHERE version = {{recorded}})
DELETE FROM {{ledger}} WHERE version = {{recorded}}
"""
_STORED = f"""
{_WITH_DIGESTS}
INSERT INTO {{scripts}} (version, up_text, down_text) VALUES ({{version}}, {{up_text}}, {{down_text}})
ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text
"""
_MASKED = "UPDATE {scripts} SET up_text = {up_text}, down_text = {down_text} WHERE version = {version}"
_ADOPTED = f"""
WITH ledger AS (
       INSERT INTO {{ledger}} (version, applied_at, applied_by, checksum)
       VALUES ({{version}}, coalesce({{applied_at}}::timestamp, now() AT TIME ZONE 'UTC'), {{applied_by}}, {{checksum}})
       ON CONFLICT (version) DO NOTHING RETURNING 1),
     script AS (
       INSERT INTO {{scripts}} (version, up_text, down_text) SELECT {{version}}, {{up_text}}, {{down_text}} FROM ledger
       ON CONFLICT (version) DO UPDATE SET up_text = excluded.up_text, down_text = excluded.down_text)
INSERT INTO {{log}} ({_DIGEST_COLUMNS}) SELECT {_DIGEST_VALUES} FROM ledger
"""


def list_tables(query: str) -> list[str]:
    """Return the tables of the ledger that a statement of a record writes to."""
    return [table for place, table in _TABLES.items() if place in query]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row for the log; one without a version describes the entire run."""

    action: str
    outcome: str
    version: str = ""
    done: int = 0
    total: int = 0
    segments_checksum: str = ""
    sqlstate: str = ""
    error: str = ""
    duration_ms: int | None = None
    note: str = ""
    """The old name of a rename, the evidence of an adoption, or the statements that run outside a transaction."""
    locks: str = ""
    """How long its statements waited for locks and had them, as tasks.runner.execution.lock_times writes it."""


class Recorder:
    """The writer of the ledger of one database for one run.

    The record of a step follows other SQL, `before`, and commits the open transaction, in one round trip. A guard comes first: it
    raises an error if others can run code through the tables by now. The statement that records an applied migration is prepared
    once, except behind a pooler. `defaults` is afterwards what a new session would start with, if `reads_defaults`; `limit_s` is
    the time for each record. Files of more than `keep_text` bytes are recorded without their texts.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        ledger: Ledger,
        identity: Identity,
        revision: Revision,
        prepare: bool,
        *,
        reads_defaults: bool = False,
        limit_s: float = math.inf,
        keep_text: int = KEEP_TEXT,
    ) -> None:
        self.connection = connection
        self.ledger = ledger
        self.identity = identity
        self.revision = revision
        self._prepares = prepare
        self.defaults: str | None = None
        self._prepared = ""
        self._guard = ""
        self._count = 0
        self._returning = f"RETURNING {SESSION_DEFAULTS}" if reads_defaults else ""
        self._limit_s = limit_s
        self._keep_text = keep_text

    def on(self, connection: psycopg.Connection, *, limit_s: float) -> Recorder:
        """Return a recorder that writes on another connection, within a time limit for each record."""
        return Recorder(connection, self.ledger, self.identity, self.revision, prepare=False, limit_s=limit_s)

    def move_to(self, connection: psycopg.Connection) -> None:
        """Write on another connection from now on."""
        self.connection = connection
        self.forget()

    def forget(self) -> None:
        """Prepare the statements again before they are used: it is not known whether they still are, or were at all."""
        self._prepared = ""

    def log(self, entry: Entry, *, commits: bool = False, files_write: bool = False, after: Sequence[str] = ()) -> None:
        """Append a row to the log, and commit the open transaction if `commits`.

        `files_write`: files of this run write to schema_migrations too, so no other role may be able to add a trigger there.
        `after`: SQL that follows the row, in the same message.
        """
        before = compose_guard(self.ledger.schema, ["schema_migrations"], strict=True) if files_write else ""
        self._run(_LOG + ("; COMMIT" if commits else ""), self._describe(entry), before, after)

    def record_applied(
        self,
        entry: Entry,
        texts: FileTexts,
        *,
        own_row: bool,
        before: str = "",
        deallocates: bool = True,
        commits: bool = True,
    ) -> None:
        """Record a migration as applied, with its texts and its row in the log, which has their digests.

        `own_row`: the file inserted its own row, which is completed; otherwise an existing row raises UniqueViolation, because
        another run applied the version. `deallocates`: the file may have deallocated prepared statements. Without `commits`,
        the transaction stays open, for the next step.
        """
        values = {"checksum": texts.up_digest, **texts.describe(self._keep_text), **self._describe(entry)}
        if deallocates:
            self.forget()
        if self._stores_in_parts(values):
            self._store_in_parts(values, before)
            self._record(f"{_APPLIED_WITHOUT_TEXTS}{COMPLETE_OWN_ROW if own_row else ''}", values, "", commits=commits)
            return
        if own_row or deallocates or not commits or not self._prepares:
            self._record(f"{APPLIED}{COMPLETE_OWN_ROW if own_row else ''}", values, before, commits=commits)
            return
        values = self._fit(values)
        if not self._prepared:
            self._prepare(values, before)
            before = ""
        quote = pq.Escaping(self.connection.pgconn).escape_literal
        arguments = ["NULL" if values[name] is None else quote(str(values[name]).encode()).decode() for name in VARIES]
        self.defaults = self._send(f"{self._guard}; EXECUTE {self._prepared} ({', '.join(arguments)}); COMMIT", before)

    def record_reverted(self, entry: Entry, *, before: str = "") -> None:
        """Delete a migration's row and texts from the ledger, and log that."""
        self._record(REVERTED, self._describe(entry), before)

    def record_seeded(self, entry: Entry, checksum: str, *, before: str = "") -> None:
        """Record a seed with the checksum of the text that ran, and log that."""
        self._record(SEEDED, {"checksum": checksum, **self._describe(entry)}, before)

    def record_renames(self, renames: Iterable[Rename]) -> None:
        """Rename rows of the ledger to the current names of their versions, and log that, in one transaction."""
        with self.connection.transaction():
            for rename in renames:
                self.rename(rename)

    def rename(self, rename: Rename) -> None:
        """Rename a row of the ledger, and log that; the caller has opened the transaction."""
        note = f"dropped: {rename.recorded}" if rename.drops else f"was {rename.recorded}"
        values = self._describe(Entry("rename", "finished", rename.version, note=note))
        values |= {"recorded": rename.recorded, "checksum": rename.checksum or None}
        # The texts of a renamed version are still those that were applied; a squash has another one.
        values["up_digest"] = rename.checksum if rename.squashed else None
        self._run(_DROPPED if rename.drops else _RENAMED, values)
        if rename.squashed:
            self._run("DELETE FROM {scripts} WHERE version = {version}", values)

    def store_texts(self, entry: Entry, texts: FileTexts) -> None:
        """Store the texts of a recorded version, and log their digests."""
        self._run(_STORED, {**texts.describe(self._keep_text), **self._describe(entry)})

    def mask_texts(self, version: str, up: str | None, down: str | None) -> None:
        """Store the texts of a version with their passwords masked; the log keeps the digests of the files."""
        masked = {name: None if text is None else mask_text(text) for name, text in (("up_text", up), ("down_text", down))}
        self._run(_MASKED, {"version": version, **masked})

    def record_found(self, versions: Iterable[str]) -> None:
        """Log versions that the ledger has and the log does not, in one transaction: what is applied now comes after them."""
        with self.connection.transaction():
            for version in versions:
                self.log(Entry("adopt", "finished", version, note=FOUND))

    def record_adopted(self, version: str, texts: FileTexts, *, applied_at: datetime | None, evidence: str) -> None:
        """Record a migration that the database already has, and log the evidence; an existing row is not changed.

        `applied_at` is in UTC, or None if it is unknown. The caller has opened the transaction.
        """
        values = self._describe(Entry("adopt", "finished", version, note=evidence))
        values |= {"applied_at": applied_at, "applied_by": f"adopted by {self.identity.actor}"[:255]}
        self._run(_ADOPTED, {**values, **texts.describe(self._keep_text), "checksum": texts.up_digest})

    def _stores_in_parts(self, values: Mapping[str, object]) -> bool:
        return any(len(text) > LONG_TEXT for name in _TEXTS if isinstance(text := values[name], str))

    def _store_in_parts(self, values: Mapping[str, object], before: str) -> None:
        """Store the texts of a version, whose table the guard locks until the end of the transaction."""
        self._run("DELETE FROM {scripts} WHERE version = {version}", values, before)
        fitted, table = self._fit(values), sql.Identifier(self.ledger.schema, _TABLES["{scripts}"])
        up, down = (None if fitted[name] is None else str(fitted[name]) for name in _TEXTS)
        copy_texts(self.connection, table, str(values["version"]), up, down)

    def _prepare(self, values: Mapping[str, object], before: str) -> None:
        """Prepare the statement that records an applied migration, and its guard, under names that are new in this session."""
        self._count += 1
        name = f"migrate_applied_{self._count}"
        tables = list_tables(APPLIED)
        check, self._guard = compose_prepared_guard(f"migrate_guard_{self._count}", self.ledger.schema, tables)
        run_sql(self.connection, f"{before};\n{check}")
        parts: dict[str, sql.Composable] = {key: sql.Literal(value) for key, value in values.items()}
        parts |= {key: sql.SQL(f"${number}") for number, key in enumerate(VARIES, 1)}
        result = self.connection.pgconn.prepare(name.encode(), self._compose(f"{APPLIED}{self._returning}", parts).encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result, encoding="utf-8")
        self._prepared = name

    def _record(self, query: str, values: Mapping[str, object], before: str, *, commits: bool = True) -> None:
        """Run the last statement of a step, and commit."""
        self.defaults = self._run(f"{query}{self._returning}{'; COMMIT' if commits else ''}", values, before)

    def _run(self, query: str, values: Mapping[str, object], before: str = "", after: Sequence[str] = ()) -> str | None:
        fitted = self._fit(values).items()
        parts = {name: value if isinstance(value, sql.Composable) else sql.Literal(value) for name, value in fitted}
        text = self._compose(query, parts)
        guard = compose_guard(self.ledger.schema, list_tables(query))
        return self._send(";\n".join((guard, text, *filter(None, after))), before)

    def _fit(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return values as the database can store them: with escapes for characters that its encoding lacks."""
        encoding = read_encoding(self.connection)
        fitted = dict(values)
        for name, value in values.items():
            if not isinstance(value, str):
                continue
            if name in _TEXTS:
                fitted[name] = store_text(value, encoding)
            else:
                fitted[name] = fit_name(value, encoding, _SIZES.get(name, 0))
        return fitted

    def _compose(self, query: str, parts: Mapping[str, sql.Composable]) -> str:
        named = {place[1:-1]: sql.Identifier(self.ledger.schema, table) for place, table in _TABLES.items()}
        return sql.SQL(query).format(**named, **parts).as_string(self.connection)

    def _send(self, text: str, before: str) -> str | None:
        """Run the text after the SQL `before`; without it, the text runs under our own settings all the same.

        A server that stops in time does not write the record after another run has written its own.
        """
        if self._limit_s < math.inf:
            own = before or find_own_settings(self.connection)
            before = "; ".join(filter(None, (own, f"SET LOCAL statement_timeout = '{self._limit_s}s'")))
        return run_sql(self.connection, f"{before};\n{text}" if before else text, limit_s=self._limit_s)

    def _describe(self, entry: Entry) -> dict[str, object]:
        return {
            "run_id": self.identity.run_id,
            "version": entry.version or None,
            "action": entry.action,
            "outcome": entry.outcome,
            "done": entry.done,
            "total": entry.total,
            "segments_checksum": entry.segments_checksum or None,
            "actor": self.identity.actor,
            "host": self.identity.host,
            "commit": self.revision.commit or None,
            "dirty": self.revision.dirty,
            "tool": self.identity.tool_version,
            "sqlstate": entry.sqlstate or None,
            "error": entry.error or None,
            "duration_ms": entry.duration_ms,
            "note": entry.note or None,
            "locks": entry.locks or None,
        }
