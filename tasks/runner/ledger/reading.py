"""The ledger, read as a value, and the creation and checks of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import psycopg
from psycopg import sql

from tasks.postgres.quoting import quote_identifier, show_identifier, show_qualified
from tasks.runner.errors import RefusedError
from tasks.runner.identity import LEDGER_ADDITIONS, LEDGER_FORMAT
from tasks.runner.ledger.guard import compose, compose_guard
from tasks.runner.ledger.history import build_records, compose_records, needs_trace
from tasks.runner.ledger.layout import fetch_each, read_layout, take_ahead
from tasks.runner.ledger.ownership import list_faults, read_ledger_owner
from tasks.runner.ledger.tables import HELPER_TABLES, TABLE, TABLES

if TYPE_CHECKING:
    from tasks.runner.ledger.layout import LedgerLayout, Rows

INTERRUPTED = frozenset({"", "57014", "57P01", "57P02", "57P03", "57P05", "08006", "08003", "08000"})
"""How a statement ends that the server did not refuse: it was cancelled, or the session was lost.
https://www.postgresql.org/docs/current/errcodes-appendix.html"""

_NUMBER = re.compile("[0-9]{1,9}")
_REQUIRED = ("version", "applied_at", "applied_by", "checksum", "execution_time_ms")
_OWNER = """
SELECT current_user::text, r.rolname::text, r.rolsuper FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles r ON r.oid = c.relowner WHERE n.nspname = %(schema)s AND c.relname = %(table)s
"""
_KNOWN_ACTIONS = "('migrate', 'rollback', 'repair', 'seed', 'adopt', 'rename')"
"""A newer version of this tool may log others. They are ignored, as are the outcomes that are not listed in _PARTS."""
_PARTS = {
    "_meta": """
SELECT 'meta', key, value, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL FROM {_meta}
""",
    "_scripts": """
SELECT 'filled', '_scripts', '', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL WHERE EXISTS (SELECT FROM {_scripts})
""",
    "_log": f"""
SELECT 'filled', '_log', '', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL WHERE EXISTS (SELECT FROM {{_log}})
UNION ALL
SELECT 'log', version, action, outcome, segments_done, segments_total, segments_checksum, sqlstate, error, at::text,
       to_jsonb(l) ->> 'note'
  FROM {{_log}} l
 WHERE version IS NOT NULL AND outcome <> 'finished' AND outcome IN ('started', 'failed', 'resumed')
   AND id = (SELECT max(id) FROM {{_log}} later WHERE later.version = l.version AND action IN {_KNOWN_ACTIONS}
                AND outcome IN ('started', 'failed', 'resumed', 'finished'))
""",
}
"""What is read of each table beside schema_migrations."""


class Attempt(NamedTuple):
    """An unfinished attempt at a version: the segments that it committed, and why it ended if that is known."""

    action: str
    outcome: str
    segments_done: int
    segments_total: int
    segments_checksum: str
    sqlstate: str
    error: str
    at: str
    note: str = ""
    """Which statements the server refused in a transaction, as tasks.runner.planning.separations writes it."""

    @property
    def interrupted(self) -> bool:
        """Return True if the attempt may have left something, so that it must be resumed and not started again."""
        return self.outcome != "failed" or self.segments_done > 0

    @property
    def unsure(self) -> bool:
        """Return True if the last segment may have taken effect without being recorded."""
        return self.outcome != "failed" or self.sqlstate in INTERRUPTED


@dataclass(frozen=True, slots=True)
class Ledger:
    """The contents of the ledger: checksums by version in the order of their history, and unfinished attempts."""

    schema: str = "public"
    exists: bool = False
    """Whether schema_migrations exists."""
    complete: bool = False
    """Whether the other tables of the ledger exist too."""
    checksums: Mapping[str, str | None] = field(default_factory=dict)
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    environment: str = ""
    format: int = 0
    expected: str = ""
    """The expected schema, as tasks.runner.ledger.expected_schema writes it."""
    old_names: Mapping[str, str] = field(default_factory=dict)
    """The names under which the database still records versions that were renamed since."""
    helpers: frozenset[str] = frozenset()
    """Which of HELPER_TABLES exist."""
    filled: frozenset[str] = frozenset()
    """Which of the log and the scripts have rows."""
    newer_names: Mapping[str, str] = field(default_factory=dict)
    """The names under which the database records versions that this older checkout has under an older name."""
    additions: int = 0
    replaced: str = ""
    """The names that were replaced, as tasks.runner.ledger.replaced writes them."""
    absorbed: Mapping[str, str] = field(default_factory=dict)
    """The recorded squash by each version of this checkout that it absorbed, which therefore counts as applied."""
    unlogged: tuple[str, ...] = ()
    """The versions that the log does not know: others than this tool recorded them."""
    unreadable: frozenset[str] = frozenset()
    """Which of `helpers` the current user has no privilege to read: what they contain is not known."""
    owner: str = ""
    """The setting LEDGER_OWNER: a role that may own the tables."""
    doubtful: bool = False
    """Whether the short check of the tables was not enough."""

    @property
    def current(self) -> bool:
        """Return True if all tables exist, in the format that this tool writes, and with its additions."""
        return self.complete and self.format == LEDGER_FORMAT and self.additions >= LEDGER_ADDITIONS

    def may_read(self, suffix: str) -> bool:
        """Return True if a table of the ledger exists, and the current user may read it."""
        return suffix in self.helpers and suffix not in self.unreadable

    def recorded_name(self, version: str) -> str:
        """Return the name under which the database records a version."""
        return self.newer_names.get(version) or self.old_names.get(version, version)

    def table(self, suffix: str = "") -> sql.Identifier:
        """Return the name of a table of the ledger, with its schema, so that it does not depend on search_path."""
        return sql.Identifier(self.schema, f"schema_migrations{suffix}")


def read_ledger(connection: psycopg.Connection, *, partial: bool = False) -> Ledger:
    """Read the ledger; without its tables, it is empty.

    `partial`: what the current user may not read is left out, except for schema_migrations itself. That is for what only shows
    the ledger: a change of the database must know all of it. Raises RefusedError if others could run code through its tables,
    before a row of them is read; or if schema_migrations is not the table of this tool, has a newer format, or may not be read.
    """
    ahead = take_ahead(connection)
    layout = read_layout(connection) if ahead is None else ahead.layout
    if layout is None:
        raise RefusedError(
            "no schema for the ledger: search_path contains none that exists",
            hint="CREATE SCHEMA public; or set search_path in DATABASE_URL (?options=-csearch_path%3Dmyschema).",
            state="Nothing was changed.",
        )
    if layout.doubtful:
        faults = list_faults(connection, layout.schema, TABLES)
        if faults:
            from tasks.runner.ledger.refusal import refuse

            raise refuse(faults)
    if layout.columns is not None:
        _check_shape(layout.schema, layout.columns, keyed=bool(layout.keyed))
    unreadable = layout.unreadable
    if unreadable and ("" in unreadable or not partial):
        _refuse_reading(connection, layout.schema, [""] if partial else unreadable, changes=not partial)
    ledger = build_empty(layout, read_ledger_owner(connection))
    if not ledger.exists and not ledger.helpers:
        return ledger
    answers = ahead.answers if ahead is not None else ()
    return _build(connection, ledger, answers or _query(connection, ledger))


def build_empty(layout: LedgerLayout, owner: str) -> Ledger:
    """Return the ledger with what its layout shows, without a row of its tables."""
    exists = layout.columns is not None
    return Ledger(
        schema=layout.schema,
        exists=exists,
        complete=exists and len(layout.helpers) == len(HELPER_TABLES),
        helpers=frozenset(layout.helpers),
        doubtful=layout.doubtful,
        owner=owner,
        unreadable=frozenset(layout.unreadable),
    )


def compose_queries(connection: psycopg.Connection, ledger: Ledger, *, traced: bool = False) -> tuple[str, ...]:
    """Return what reads the tables of a ledger: the guard first, then each query, which has an answer of its own."""
    suffixes = [*([""] if ledger.exists else []), *sorted(ledger.helpers - ledger.unreadable)]
    guard = compose_guard(ledger.schema, [f"schema_migrations{suffix}" for suffix in suffixes], "ACCESS SHARE")
    log = ledger.table("_log") if ledger.may_read("_log") else None
    queries = [compose_records(ledger.table(), log, traced=traced)] if ledger.exists else []
    parts = [part for suffix, part in _PARTS.items() if ledger.may_read(suffix)]
    tables = {suffix: ledger.table(suffix) for suffix in HELPER_TABLES}
    queries += [sql.SQL("UNION ALL".join(parts)).format(**tables)] if parts and not traced else []
    return (guard, *(query.as_string(connection) for query in queries))


def _query(connection: psycopg.Connection, ledger: Ledger, *, traced: bool = False) -> list[Rows]:
    """Return the rows of the queries of the ledger's tables, which are sent in one message, under a lock."""
    guard, *queries = compose_queries(connection, ledger, traced=traced)
    if not queries:
        return []
    _, *answers = fetch_each(connection, [query.encode() for query in (guard, *queries)])
    return answers


def _build(connection: psycopg.Connection, ledger: Ledger, answers: Sequence[Rows]) -> Ledger:
    """Return the ledger with what those of its tables contain that exist."""
    left = list(answers)
    rows = left.pop(0) if ledger.exists and left else []
    if needs_trace(rows):
        rows = _query(connection, ledger, traced=True)[0]
    found = build_records(rows)
    ledger = replace(
        ledger,
        checksums={record.version: record.checksum for record in found},
        unlogged=tuple(record.version for record in found if record.log_id is None),
    )
    return _add_helpers(ledger, left[0]) if left else ledger


def _add_helpers(ledger: Ledger, found: Iterable[tuple[Any, ...]]) -> Ledger:
    """Return the ledger with what was found in the tables beside schema_migrations."""
    meta: dict[str, str] = {}
    attempts: dict[str, Attempt] = {}
    filled: set[str] = set()
    for what, name, value, outcome, done, total, checksum, sqlstate, error, at, note in found:
        if what == "meta":
            meta[name] = value
        elif what == "filled":
            filled.add(name)
        else:
            from tasks.runner.redaction import redact_stored

            attempts[name] = Attempt(
                value, outcome, done, total, checksum or "", sqlstate or "", redact_stored(error or ""), at, note or ""
            )
    return replace(
        ledger,
        attempts=attempts,
        filled=frozenset(filled),
        format=_check_format(meta.get("format", "")),
        additions=int(additions) if _NUMBER.fullmatch(additions := meta.get("additions", "")) else 0,
        environment=meta.get("environment", ""),
        expected=meta.get("schema", ""),
        replaced=meta.get("replaced", ""),
    )


def _refuse_reading(connection: psycopg.Connection, schema: str, unreadable: Iterable[str], *, changes: bool) -> NoReturn:
    """Raise RefusedError for tables that the current user may not read; what `changes` the ledger needs more than that."""
    from tasks.runner.ledger.privileges import compose_select

    tables = [f"{TABLE}{suffix}" for suffix in sorted(unreadable)]
    row = connection.execute(compose(connection, _OWNER, {"schema": schema, "table": tables[0]})).fetchone()
    user, owner, is_superuser = row or ("", "", True)
    hint = f"Use the URL of {show_identifier(owner)}, the owner of these tables"
    if not changes:
        hint += f", or let the owner run:\n  {compose_select(schema, tables, user)};"
    elif not is_superuser:
        hint += f", or make this role a member of it:\n  GRANT {quote_identifier(owner)} TO {quote_identifier(user)};"
    else:
        hint += "."
    named = ", ".join(show_qualified(schema, table) for table in tables)
    raise RefusedError(
        f"{show_identifier(user)} has no privilege to read the ledger: {named}",
        hint=hint,
        state="Nothing was changed.",
    )


def _check_shape(schema: str, columns: list[str], *, keyed: bool) -> None:
    """Raise RefusedError for a schema_migrations that another tool created."""
    missing = [name for name in _REQUIRED if name not in columns]
    fault = f"{', '.join(missing)} missing" if missing else "" if keyed else "column version must be text and the primary key"
    if fault:
        from tasks.postgres.other_tools import recognise

        # Only the records of a known tool can be taken over: for another table, inv db.adopt would raise this error again.
        if recognise("schema_migrations", frozenset(columns)):
            way = "Another tool created this table. To take over its records: inv db.adopt\nTo start a new ledger instead, rename"
        else:
            way = "No known tool creates such a table, so its records cannot be taken over. Before inv db.adopt, rename"
        raise RefusedError(
            f"{schema}.schema_migrations is not the table of this tool: it has the columns {', '.join(columns)}; {fault}",
            hint=f"{way} the table:\n"
            f"  ALTER TABLE {show_qualified(schema, 'schema_migrations')} RENAME TO schema_migrations_before;",
            state="Nothing was changed.",
        )


def _check_format(text: str) -> int:
    """Return the format, 0 if none is recorded; raises RefusedError for one of a newer version of this tool."""
    if not text:
        return 0
    if not _NUMBER.fullmatch(text) or int(text) > LEDGER_FORMAT:
        raise RefusedError(
            f"the ledger has format {text}, and this tool supports formats up to {LEDGER_FORMAT}",
            hint="Pull: it was written by a newer version of this tool.",
            state="Nothing was changed.",
        )
    return int(text)
