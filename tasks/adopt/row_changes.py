"""The rows that a migration changes, and those that it inserts although they may exist in the live database.

The copy of the live schema has no rows. So the migration runs on it, and once more: what the second run inserts is inserted
whether it exists or not, because no key prevents it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tasks.catalog import Catalog
from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.extensions import find_created
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.policies import without_policies
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement

FindFilled = Callable[[Collection[str]], Collection[str]]
"""Return which of some tables have rows in the live database."""
_KEY_EXISTS = "23505"
_INSERTS = "InsertStmt"
_POSSIBLY = "perhaps rows into"
_KEY_COLUMNS = re.compile(r"^(?:PRIMARY KEY|UNIQUE|CREATE UNIQUE INDEX [^(]*)(?: NULLS NOT DISTINCT)? ?\(([^()]*)\)$")
"""The columns of a key; not those of an index with expressions or a condition."""


_ON_ROWS = frozenset({_INSERTS, "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt", "TruncateStmt", "DoStmt", "CallStmt"})
"""The parser's names of statements that change rows, or may do so."""


@dataclass(frozen=True, slots=True)
class RepeatedInserts:
    """What a migration inserts into filled tables, as `2 rows into t`; or the error if what it inserts exists already."""

    inserts: tuple[str, ...] = ()
    collision: str = ""


def list_row_changes(migration: RehearsedMigration) -> tuple[str, ...]:
    """Return the statements of a migration that change rows, or may do so."""
    shown = migration.shown or migration.name
    return tuple(f"{each.label} ({shown}:{each.line})" for each in _list_statements(migration) if each.kind in _ON_ROWS)


def list_extensions(migration: RehearsedMigration) -> list[str]:
    """Return the extensions that the statements of a migration create."""
    return [
        name for each in _list_statements(migration) if each.kind == "CreateExtensionStmt" for name in find_created(each.text)
    ]


def may_insert(migration: RehearsedMigration) -> bool:
    """Return True if a migration may insert rows, perhaps in a function that it calls."""
    return any(each.kind in _ON_ROWS or each.kind == "SelectStmt" for each in _list_statements(migration))


def list_repeats(
    database: ScratchDatabase,
    migration: RehearsedMigration,
    live: Catalog,
    inserted: Counter[str],
    find_filled: FindFilled,
    timeout_s: float,
) -> RepeatedInserts:
    """Return what a migration inserts into filled tables of the live schema, whether it exists or not.

    `database` is in the state after the migration, which `inserted` so many rows, and no session is open in it.
    """
    uncertain = set(_list_targets(migration, live, _selects))
    targets = uncertain | (inserted.keys() & {key.name for key, _ in live.of_kind("table")})
    tables = set(find_filled(targets)) if targets else set()
    if not tables:
        return RepeatedInserts()
    with database.server.make(database.name) as copy:
        again, error = run_and_count(copy, migration, timeout_s)
        if error is not None and error.sqlstate != _KEY_EXISTS:
            # What it creates exists by now; its INSERTs can run again.
            again, error = run_and_count(copy, _reduce(migration), timeout_s)
    if error is not None and error.sqlstate == _KEY_EXISTS:
        return RepeatedInserts(collision=error.message.partition("\n")[0])
    if error is not None:
        again = inserted
    known = [f"{_count(again[table])} into {table}" for table in sorted(tables & again.keys())]
    unknown = sorted(tables & uncertain - again.keys() - inserted.keys())
    return RepeatedInserts((*known, *(f"{_POSSIBLY} {table}" for table in unknown)))


def list_possible(migration: RehearsedMigration, live: Catalog, find_filled: FindFilled) -> RepeatedInserts:
    """Return what a migration may insert into filled tables, whether it exists or not, if that could not be rehearsed."""
    targets = set(_list_targets(migration, live, lambda _: True))
    return RepeatedInserts(tuple(f"{_POSSIBLY} {table}" for table in sorted(find_filled(targets))) if targets else ())


def run_and_count(
    database: ScratchDatabase, migration: RehearsedMigration, timeout_s: float
) -> tuple[Counter[str], RunnerError | None]:
    """Run a migration; return how many rows each table has more, by its name in SQL, and the error."""
    before = count_rows(database)
    with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
        trial = rehearsal.run(migration, "up")
    return (count_rows(database) - before if trial.error is None else Counter()), trial.error


def count_rows(database: ScratchDatabase) -> Counter[str]:
    """Return how many rows each table of a scratch database has, by its name in SQL."""
    with connect(database.url, name="migrate-adopt") as connection:
        names = [table.name for table in read_shapes(connection).tables.values()]
        with without_policies(connection):
            return Counter({name: _count_table(connection, name) for name in names})


def _count_table(connection: psycopg.Connection, name: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.SQL(name))).fetchone()
    return row[0] if row else 0


def _reduce(migration: RehearsedMigration) -> RehearsedMigration:
    """Return a migration with only the INSERTs of another."""
    text = ";\n".join(statement.text for statement in _list_inserts(migration))
    return RehearsedMigration(migration.name, f"{text};\n", shown=migration.shown)


def _list_inserts(migration: RehearsedMigration) -> list[Statement]:
    return [each for each in _list_statements(migration) if each.kind == _INSERTS]


def _list_statements(migration: RehearsedMigration) -> Sequence[Statement]:
    try:
        return migration.make_step("up").script.statements
    except RunnerError:
        return ()


def _list_targets(migration: RehearsedMigration, live: Catalog, concerns: Callable[[Mapping[str, Any]], bool]) -> Iterator[str]:
    """Yield the tables of the live schema into which INSERTs write, if no key prevents that a row is inserted twice."""
    tables = sorted(key.name for key, _ in live.of_kind("table"))
    for statement in _list_inserts(migration):
        fields = _parse(statement)
        if fields is None or not concerns(fields):
            continue
        relation = fields["relation"]
        name, schema = quote_identifier(relation["relname"]), relation.get("schemaname")
        wanted = quote_qualified(schema or "public", relation["relname"])
        found = [wanted] if wanted in tables else [] if schema else [each for each in tables if each.endswith(f".{name}")]
        yield from (table for table in found if not ("onConflictClause" in fields and _has_key(fields, table, live)))


def _has_key(fields: Mapping[str, Any], table: str, live: Catalog) -> bool:
    """Return True if a key of a table has only columns for which an INSERT has values, so that ON CONFLICT finds the row.

    The values of other columns, such as those of a sequence, are new for each row.
    """
    given = {quote_identifier(column["ResTarget"]["name"]) for column in fields.get("cols", ())}
    for key, text in live.objects.items():
        columns = _KEY_COLUMNS.search(text) if key.parent == table and key.kind in ("constraint", "index") else None
        if columns and (not given or given >= set(columns[1].split(", "))):
            return True
    return False


def _parse(statement: Statement) -> dict[str, Any] | None:
    from pglast.parser import ParseError, parse_sql_json

    try:
        fields: dict[str, Any] | None = json.loads(parse_sql_json(statement.text))["stmts"][0]["stmt"].get(_INSERTS)
    except (ParseError, IndexError):
        return None
    return fields


def _selects(fields: Mapping[str, Any]) -> bool:
    return "fromClause" in fields.get("selectStmt", {}).get("SelectStmt", {})


def _count(number: int) -> str:
    return f"{number} row" if number == 1 else f"{number} rows"
