"""The numbers of a live database for a forecast: sizes, activity, locks. Nothing that a customer wrote is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg

from tasks.postgres.quoting import show_identifier
from tasks.runner.database.session import begin_own, connect, roll_back
from tasks.runner.events import Event
from tasks.runner.events.numbers import NumbersRead, RelationNumbers
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.live_numbers.disk import read_free_bytes
from tasks.runner.operations.live_numbers.relations import (
    Look,
    MeasuredRelation,
    build_relations,
    list_some,
    list_unreadable,
    look,
    measure_relations,
    read_columns,
)
from tasks.runner.operations.live_numbers.transactions import read_replicas, read_transactions

T = TypeVar("T")

BETWEEN_LOOKS_S = 2.0
"""Sessions report what they did at the end of a transaction, at most once per second."""
_CONNECT_LIMIT_S = 10.0
_BEGIN = "ISOLATION LEVEL READ COMMITTED READ ONLY"
_LIMITS = "SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '100ms'"
_FACTS = "SELECT pg_database_size(current_database()), current_setting('block_size')::int, session_user::text"


def read_numbers(runner: MigrationRunner, *, between_looks_s: float = BETWEEN_LOOKS_S) -> Iterator[Event]:
    """Yield one NumbersRead; the rates are the difference of two looks, about two seconds apart.

    It never waits for a lock; what cannot be read is named in `not_known`. Raises RunnerError if the database is not reached.
    """
    name = f"migrate-numbers {runner.identity.run_id}"
    with connect(runner.url, name=name, ledger_owner=runner.ledger_owner, limit_s=_CONNECT_LIMIT_S) as connection:
        try:
            yield _read(runner, connection, between_looks_s)
        except psycopg.Error as error:
            raise runner.explain(error, "Nothing was changed.", connection) from error


def _read(runner: MigrationRunner, connection: psycopg.Connection, between_looks_s: float) -> NumbersRead:
    reader = _Reader(connection)
    before, began = reader.read("its activity", look), time.monotonic()
    database_bytes, block_bytes, role = reader.read("the size of the database", _read_facts) or (None, 8192, "")
    measured = reader.read("its relations", measure_relations) or ()
    columns = reader.read("the statistics of its columns", read_columns) or {}
    replicas = reader.read("its replicas", read_replicas) or ()
    free_bytes, reason = reader.read("the free disk of the server", read_free_bytes) or (None, "")
    runner.stop.sleep(max(0.0, began + between_looks_s - time.monotonic()))
    after = reader.read("its activity", look)
    transactions, vacuumed, hidden = reader.read("its open transactions", read_transactions) or ((), frozenset(), 0)
    looks = (before, after) if before and after else None
    reader.note(reason)
    for sentence in (
        *_describe_looks(looks),
        *_describe_measures(measured),
        *list_unreadable(measured, columns, role),
        *_describe_hidden(hidden, role),
        *_describe_replicas(any(not each.state for each in replicas), role),
    ):
        reader.note(sentence)
    relations: tuple[RelationNumbers, ...] = build_relations(measured, columns, looks, vacuumed, block_bytes)
    return NumbersRead(
        connection.info.server_version,
        relations,
        transactions,
        replicas,
        free_bytes,
        database_bytes,
        tuple(dict.fromkeys(reader.not_known)),
        block_bytes,
    )


class _Reader:
    """Reads parts of the numbers, each in a transaction of its own; what fails is noted, and the others are still read."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.not_known: list[str] = []

    def note(self, sentence: str) -> None:
        """Note a reason for what is not known, if there is one."""
        self.not_known += [sentence] if sentence else []

    def read(self, what: str, part: Callable[[psycopg.Connection], T]) -> T | None:
        """Return what a function reads; None if the server refuses it. Raises psycopg.Error if the connection is lost."""
        try:
            begin_own(self._connection, _BEGIN, _LIMITS)
            return part(self._connection)
        except psycopg.Error as error:
            if self._connection.closed:
                raise
            reason = error.diag.message_primary or type(error).__name__
            self.note(f"{what} could not be read: {reason}")
            return None
        finally:
            roll_back(self._connection)


def _read_facts(connection: psycopg.Connection) -> tuple[int | None, int, str]:
    size, block_bytes, role = connection.execute(_FACTS).fetchone() or (None, 8192, "")
    return size, block_bytes, role


def _describe_looks(looks: tuple[Look, Look] | None) -> Iterator[str]:
    if looks is None:
        return
    before, after = looks
    if not after.counts:
        yield "how much its tables are used is not known: track_counts is off"
    elif before.reset != after.reset:
        yield "how much its tables are used is not known: the statistics were reset meanwhile"
    if after.standby:
        yield "how much is written is not known: the server is a standby, which does not count that"


def _describe_measures(measured: tuple[MeasuredRelation, ...]) -> Iterator[str]:
    estimated = [each.qualified for each in measured if each.kind in ("r", "m", "i") and each.bytes is None]
    if estimated:
        listed = list_some(estimated)
        yield f"the current size of {listed} is not known: another session has locked it; the size at its last ANALYZE is used"


def _describe_hidden(hidden: int, role: str) -> Iterator[str]:
    if hidden:
        what = "transaction of another role is" if hidden == 1 else "transactions of other roles are"
        yield f"the state and the age of {hidden} open {what} not known: GRANT pg_read_all_stats TO {show_identifier(role)};"


def _describe_replicas(hidden: bool, role: str) -> Iterator[str]:
    if hidden:
        yield f"how far the replicas are behind is not known: GRANT pg_read_all_stats TO {show_identifier(role)};"
