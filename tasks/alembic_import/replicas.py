"""Scratch databases on which Alembic itself runs the revisions, and what a database contains, to compare two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.process import AlembicError, AlembicFault, AlembicProcess
from tasks.catalog import Catalog, compare, read_catalog, restrict, show_difference
from tasks.postgres.quoting import quote_identifier
from tasks.rehearsal.rows.contents import Contents, read_rows
from tasks.rehearsal.scratch.policies import without_policies
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.ledger.tool_tables import exclude_tool_tables

_SEQUENCES = "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_catalog.pg_sequences"

Columns = frozenset[tuple[str, str]]
"""Tables with columns."""


@dataclass(frozen=True, slots=True)
class ScratchState:
    """What a database contains: its schema, its rows and its sequences."""

    catalog: Catalog
    rows: Mapping[str, Contents]
    whole: Mapping[str, Counter[str]]
    """The digests of whole rows, by table."""
    sequences: Mapping[str, int | None]


class AlembicReplica:
    """A scratch database on which Alembic itself runs the revisions."""

    def __init__(
        self,
        server: ScratchServer,
        project: AlembicProject,
        schema: str,
        timeout_s: float,
        stack: ExitStack,
        *,
        records: bool = False,
    ) -> None:
        self._server = server
        self.database = stack.enter_context(server.make())
        self._reader = stack.enter_context(connect(self.database.url, name="migrate-alembic"))
        process = AlembicProcess(project, conninfo=self.database.url, records=records, timeout_s=timeout_s)
        self._process = stack.enter_context(process)
        self._schema = schema
        self._made_schema = ""
        self._opened = False
        self._offline_part = False
        self.applied: list[str] = []

    def run(self, revision: str, *, upgrade: bool = True) -> dict[str, Any]:
        """Run a revision, and return what it executed; raises AlembicError."""
        if not self._opened:
            self._process.open()
            self._opened = True
        request = {"run": revision, "upgrade": upgrade}
        try:
            answer = self._ask(request)
        except AlembicError as error:
            if self.applied or not _is_environment(error.fault):
                raise
            # The part for online mode needs what this installation lacks, for example greenlet.
            self._offline_part = True
            try:
                answer = self._ask(request)
            except AlembicError:
                raise error from None
        if upgrade:
            self.applied.append(revision)
        else:
            self.applied.remove(revision)
        return answer

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request; create the schema of the version table if it is missing: where Alembic was used, it exists."""
        request = {**request, "offline_part": self._offline_part}
        try:
            return self._process.ask(request)
        except AlembicError as error:
            if self.applied or not self._schema or f'schema "{self._schema}" does not exist' not in error.fault.text:
                raise
            self._reader.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
            self._made_schema = quote_identifier(self._schema)
            return self._process.ask(request)

    def advance(self, revisions: Sequence[str]) -> None:
        """Run the revisions that were not run yet."""
        for revision in revisions:
            if revision not in self.applied:
                self.run(revision)

    def read(self) -> ScratchState:
        """Return what the database contains, without the version table."""
        state = read_state(self._reader, self._server)
        if not self._made_schema:
            return state
        objects = {key: text for key, text in state.catalog.list_unordered() if self._made_schema not in (key.name, key.parent)}
        return replace(state, catalog=Catalog(objects, state.catalog.server_version, state.catalog.derived))


def _is_environment(fault: AlembicFault) -> bool:
    return fault.kind in ("ImportError", "ModuleNotFoundError", "ValueError", "InvalidRequestError", "MissingGreenlet") or (
        fault.file.endswith("env.py")
    )


def read_state(connection: psycopg.Connection, server: ScratchServer) -> ScratchState:
    """Return what a database contains, without the tables of tools."""
    catalog = exclude_tool_tables(restrict(read_catalog(connection), server.target_version))
    tables = {key.name for key, _ in catalog.of_kind("table")}
    rows = {name: contents for name, contents in read_rows(connection).items() if _is_among(name, tables)}
    with without_policies(connection):
        whole = {name: _read_whole(connection, name) for name, contents in rows.items() if contents.rows}
    return ScratchState(catalog, rows, whole, _read_sequences(connection))


def _read_whole(connection: psycopg.Connection, name: str) -> Counter[str]:
    return Counter(row[0] for row in connection.execute(sql.SQL("SELECT md5(t::text) FROM {} AS t").format(sql.SQL(name))))


def _is_among(name: str, tables: set[str]) -> bool:
    return name in tables or name.replace('"', "") in {each.replace('"', "") for each in tables}


def _read_sequences(connection: psycopg.Connection) -> dict[str, int | None]:
    return {name: at for name, at in connection.execute(_SEQUENCES).fetchall() if "schema_migrations" not in name}


def list_differences(wanted: ScratchState, actual: ScratchState, varying: Columns) -> Iterator[str]:
    """Yield lines for what differs between two databases, except for the values of some columns."""
    yield from show_difference(compare(wanted.catalog, actual.catalog))
    for name in sorted(wanted.rows.keys() | actual.rows.keys()):
        one, other = wanted.rows.get(name), actual.rows.get(name)
        if one is None or other is None:
            continue
        if one.rows != other.rows:
            yield f"~ rows of {name}: {one.rows} by Alembic, {other.rows} by the file"
            continue
        for column, values in one.columns.items():
            if (name, column) not in varying and values != other.columns.get(column):
                count = (values - other.columns.get(column, values)).total() if column in other.columns else one.rows
                yield f"~ column {column} of {name}: {count} of {one.rows} values are others"
    mixed = {name for name, _ in varying} | {name for name, one in wanted.rows.items() if one != actual.rows.get(name)}
    for name in sorted((wanted.whole.keys() & actual.whole.keys()) - mixed):
        if wanted.whole[name] != actual.whole[name]:
            yield f"~ rows of {name}: the same values are in other rows"
    yield from (f"~ sequence {name} has another value" for name in _compare_sequences(wanted, actual))


def _compare_sequences(wanted: ScratchState, actual: ScratchState) -> list[str]:
    return sorted({name for name, _ in wanted.sequences.items() ^ actual.sequences.items()})


def find_different(one: ScratchState, other: ScratchState) -> Columns:
    """Return the columns whose values differ, of the tables with equally many rows."""
    return frozenset(
        (name, column)
        for name, contents in one.rows.items()
        if name in other.rows and contents.rows == other.rows[name].rows
        for column, values in contents.columns.items()
        if values != other.rows[name].columns.get(column)
    )
