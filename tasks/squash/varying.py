"""Find values that differ between two replays of the same migrations: random ones, and those that depend on the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from tasks.catalog import compare, show_difference
from tasks.rehearsal.lacks import refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.rows.contents import Contents, read_rows
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError
from tasks.squash.state import State, read_state

_ZONES = ("Etc/GMT+12", "Etc/GMT-14")
"""The first and the last time zone of the earth, 26 hours apart: at any time, one of them has another date than the server."""
_OTHER_ZONE = "SELECT zone FROM unnest(%s::text[]) zone WHERE (now() AT TIME ZONE zone)::date <> current_date LIMIT 1"
_ZONED = frozenset({"timestamptz", "timetz", "tstzrange", "tstzmultirange"})
"""Types with a time zone: even a constant of them depends on that of the session."""
_TIMES = frozenset({"date", "time", "timestamp"}) | _ZONED


@dataclass(frozen=True, slots=True)
class VaryingValues:
    """What differs between replays: points in time by column, and all other columns and objects.

    `version` is the first migration that makes something other than a point in time vary; empty if none does.
    """

    times: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True, slots=True)
class _Replayed:
    """What a replay made: the state, the contents of each column, and the types of the columns by table and name."""

    state: State
    contents: Mapping[str, Contents]
    types: Mapping[tuple[str, str], str]


def find_varying(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], *, timeout_s: float | None = None
) -> VaryingValues:
    """Return the values that differ between replays from nothing.

    The date is the same in two replays of one day, so a third one runs in a time zone that has another date.
    """
    found = _compare_replays(server, migrations, timeout_s)
    if not found.others:
        return found
    low, high = 0, len(migrations) - 1
    while low < high:
        middle = (low + high) // 2
        if _compare_replays(server, migrations[: middle + 1], timeout_s).others:
            high = middle
        else:
            low = middle + 1
    return VaryingValues(found.times, found.others, migrations[low].name)


def _compare_replays(server: ScratchServer, migrations: Sequence[RehearsedMigration], timeout_s: float | None) -> VaryingValues:
    first, second = _replay(server, migrations, timeout_s), _replay(server, migrations, timeout_s)
    other = server.administer().execute(_OTHER_ZONE, [list(_ZONES)]).fetchone()
    third = _replay(server, migrations, timeout_s, zone=other[0] if other else _ZONES[0])
    columns = _list_different(first, second)
    columns |= {column for column in _list_different(first, third) if first.types[column] not in _ZONED}
    others = list(show_difference(compare(first.state.catalog, second.state.catalog)))
    others += [f"{table}.{column}" for table, column in sorted(columns) if first.types[table, column] not in _TIMES]
    tables = {table for table, _ in columns}
    others += [
        f"rows of {table}"
        for table, rows in first.state.rows.items()
        if table not in tables and rows != second.state.rows.get(table)
    ]
    others += [f"sequence {name}" for name in sorted(dict(first.state.sequences.items() ^ second.state.sequences.items()))]
    times = (f"{table}.{column}" for table, column in sorted(columns) if first.types[table, column] in _TIMES)
    return VaryingValues(tuple(times), tuple(others))


def _list_different(one: _Replayed, other: _Replayed) -> set[tuple[str, str]]:
    """Return the columns whose values differ, as table and name; tables that only one has are a difference of the schema."""
    return {
        (table, column)
        for table, contents in one.contents.items()
        for column, values in contents.columns.items()
        if table in other.contents and values != other.contents[table].columns.get(column)
    }


def _replay(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], timeout_s: float | None, *, zone: str = ""
) -> _Replayed:
    with (
        replay_from_nothing(server, migrations, timeout_s=timeout_s, zone=zone) as database,
        connect(database.url, name="migrate-squash") as connection,
    ):
        types = {
            (table.name, column.name): column.type.name
            for table in read_shapes(connection).tables.values()
            for column in table.columns.values()
        }
        return _Replayed(read_state(database), read_rows(connection), types)


@contextmanager
def replay_from_nothing(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], *, timeout_s: float | None = None, zone: str = ""
) -> Iterator[ScratchDatabase]:
    """Yield a scratch database in which the migrations ran just now; a cached state has the values of an earlier replay.

    Raises RefusedError if a statement was left out: its effect is not in the database, so it would be lost.
    """
    with server.make() as database:
        if zone:
            alter = sql.SQL("ALTER DATABASE {} SET timezone = {}").format(sql.Identifier(database.name), sql.Literal(zone))
            server.administer().execute(alter)
        with Rehearsal(database, timeout_s=timeout_s) as rehearsal:
            for migration in migrations:
                trial = rehearsal.run(migration, "up")
                if trial.error is not None:
                    raise trial.error
                what = "these statements would be lost"
                refuse_lacks(trial.lacking, server.version, embedded=server.embedded, what=what, skippable=False)
                if trial.unchecked:
                    raise _refuse_unchecked(trial.unchecked, limited=server.limited)
        yield database


def _refuse_unchecked(statements: Sequence[str], *, limited: bool) -> RefusedError:
    hint = "Squash up to the version before them, or move them to a later file of their own."
    if limited:
        hint += "\nIf only rights are missing and you trust the SQL, replay it with all rights: --as-superuser"
    return RefusedError(
        "scratch cannot show the effect of these statements, and they would be lost:\n"
        + "\n".join(f"  {statement}" for statement in statements),
        hint=hint,
        state="Nothing was changed.",
    )
