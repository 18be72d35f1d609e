"""The verdict on a statement: what it keeps out of which tables, for how long, and which rows it removes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tasks.forecast.events import StatementForecast
from tasks.forecast.model import ObservedStatement, Operation, StatementDuration
from tasks.forecast.verdicts import judge
from tasks.runner.events.numbers import ColumnNumbers, NumbersRead, OpenTransaction, RelationLock, RelationNumbers

BUSY = RelationNumbers(
    "public.busy", "r", rows=1000, heap_bytes=8192, reads=5.0, writes=2.0,
    columns=(ColumnNumbers("name", 0.25, 8, -1.0, None), ColumnNumbers("unset", 1.0, 0, 0.0, None)),
    without_statistics=("fresh",),
)  # fmt: skip
EMPTY = RelationNumbers("public.empty", "r", rows=0, reads=0.0, writes=0.0)
QUEUE = replace(EMPTY, relation="public.queue", writes=1.5)
NEVER_ANALYSED = RelationNumbers("public.raw", "r", rows=-1, heap_bytes=8192, reads=0.0, writes=0.0)
EMPTY_UNANALYSED = replace(NEVER_ANALYSED, relation="public.blank", heap_bytes=0)
PARENT = RelationNumbers("public.parent", "p", rows=-1, reads=0.0, writes=0.0)
PARTITIONS = tuple(replace(BUSY, relation=f"public.part{n}", parent="public.parent", rows=n) for n in (10, 20))
INDEX = RelationNumbers("public.busy_name", "i", "public.busy", rows=1000, reads=0.0, writes=0.0)
VIEW = RelationNumbers("public.seen", "v")
NUMBERS = NumbersRead(
    180000, (BUSY, EMPTY, QUEUE, NEVER_ANALYSED, EMPTY_UNANALYSED, PARENT, *PARTITIONS, INDEX, VIEW), transactions=()
)  # fmt: skip
Seconds = tuple[float, float]

ALL: tuple[Operation, ...] = ("select", "insert", "update", "delete", "ddl")
WRITES: tuple[Operation, ...] = ("insert", "update", "delete", "ddl")


def observe(
    text: str = "ALTER TABLE busy ADD note text", node: str = "AlterTableStmt", number: int = 1, **values: Any
) -> ObservedStatement:
    """Return a statement of one transaction, on the line of its number."""
    given: dict[str, Any] = {"transactional": True, "held_to": number, **values}
    return ObservedStatement("20260101000000_a", number, number, text, node, **given)


def lock(mode: str, relation: str = "public.busy") -> tuple[RelationLock, ...]:
    return (RelationLock(relation, mode),)


def judge_one(
    statement: ObservedStatement, seconds: Seconds | None = (0.0, 0.1), numbers: NumbersRead | None = NUMBERS
) -> StatementForecast:
    duration = StatementDuration(seconds, not_known=() if seconds else ("the rate is not known",))
    (forecast,) = judge([statement], {statement.number: duration}, numbers)
    return forecast


@pytest.mark.parametrize(
    ("keeps_out", "seconds", "verdict"),
    [
        ({}, (50, 60), "harmless"),
        ({"public.busy": ("ddl",)}, (50, 60), "harmless"),
        ({"public.busy": ALL}, (0, 0.2), "brief"),
        ({"public.busy": ALL}, (0.5, 20), "blocks_all"),
        ({"public.busy": WRITES}, (0.5, 20), "blocks_writes"),
        ({"public.busy": ("update", "ddl")}, (0.5, 20), "blocks_writes"),
        ({"public.empty": ALL}, (5, 20), "harmless"),
        ({"public.blank": ALL}, (5, 20), "harmless"),
        ({"public.queue": ALL}, (5, 20), "blocks_all"),
        ({"public.raw": ALL}, (5, 20), "blocks_all"),
        ({"public.parent": ALL}, (5, 20), "blocks_all"),
        ({"public.seen": ALL}, (5, 20), "blocks_all"),
        ({"public.busy": WRITES, "public.empty": ALL}, (5, 20), "blocks_writes"),
        ({"public.created_by_an_earlier_file": ALL}, (5, 20), "harmless"),
    ],
)
def test_the_verdict_depends_on_what_is_kept_out_of_used_tables_and_how_long(
    keeps_out: Mapping[str, tuple[Operation, ...]], seconds: Seconds, verdict: str
) -> None:
    assert judge_one(observe(keeps_out=keeps_out), seconds).verdict == verdict


def test_without_numbers_every_table_may_be_used() -> None:
    assert judge_one(observe(keeps_out={"public.empty": ALL}), (5, 20), None).verdict == "blocks_all"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"rewrites": ("public.busy",)}, "blocks_all"),
        ({"scans": ("public.busy",)}, "blocks_all"),
        ({"scans": ("public.empty",)}, "brief"),
        ({}, "brief"),
        ({"node": "UpdateStmt", "text": "UPDATE busy SET name = ''"}, "blocks_all"),
    ],
)
def test_an_unknown_duration_is_long_if_rows_are_read_or_written(values: dict[str, Any], verdict: str) -> None:
    forecast = judge_one(observe(keeps_out={"public.busy": ALL}, **values), None)
    assert (forecast.verdict, forecast.seconds, forecast.blocked_seconds) == (verdict, None, None)
    assert forecast.not_known == ("the rate is not known",)


def test_locks_are_held_for_the_rest_of_the_transaction() -> None:
    first = observe(held_to=2, keeps_out={"public.busy": ALL})
    second = observe("UPDATE other SET a = 1", "UpdateStmt", 2)
    after = observe("UPDATE other SET a = 1", "UpdateStmt", 3)
    durations = {1: StatementDuration((0.0, 0.1)), 2: StatementDuration((10.0, 30.0)), 3: StatementDuration((100.0, 200.0))}
    forecasts = judge([first, second, after], durations, NUMBERS)
    assert (forecasts[0].verdict, forecasts[0].seconds, forecasts[0].blocked_seconds) == ("blocks_all", (0.0, 0.1), (10.0, 30.1))
    assert [each.verdict for each in forecasts[1:]] == ["harmless", "harmless"]


def test_an_unknown_duration_later_in_the_transaction_is_named() -> None:
    first = observe(held_to=2, keeps_out={"public.busy": ALL})
    second = observe("UPDATE other SET a = 1", "UpdateStmt", 2)
    forecast = judge([first, second], {1: StatementDuration((0.0, 0.1))}, NUMBERS)[0]
    assert (forecast.verdict, forecast.seconds, forecast.blocked_seconds) == ("blocks_all", (0.0, 0.1), None)
    assert forecast.not_known == ("how long the statement on line 2 takes is not known",)


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        ({"drops": ("public.busy",)}, 1000),
        ({"drops": ("public.empty", "public.seen", "public.busy_name")}, None),
        ({"drops": ("public.parent", "public.part10", "public.part20")}, 30),
        ({"empties": ("public.busy", "public.part10")}, 1010),
        ({"drops": ("public.created_by_an_earlier_file",)}, None),
        ({"text": "ALTER TABLE busy DROP name"}, 750),
        ({"text": "DO ''", "node": "DoStmt", "dropped_columns": {"public.busy": ("name",)}}, 750),
        ({"text": "ALTER TABLE public.busy DROP COLUMN unset"}, None),
        ({"text": "ALTER TABLE busy DROP COLUMN added_by_an_earlier_file"}, None),
        ({"text": "ALTER TABLE empty DROP COLUMN name", "locks": lock("AccessExclusiveLock", "public.empty")}, None),
        ({"text": "DELETE FROM busy", "node": "DeleteStmt", "deletes": {"public.busy": 1.0}}, 1000),
        ({"text": "DELETE FROM busy WHERE false", "node": "DeleteStmt", "deletes": {"public.busy": 0.0}}, None),
        ({"text": "DELETE FROM busy WHERE name = ''", "node": "DeleteStmt", "deletes": {"public.busy": 0.0001}}, 1),
        ({"text": "DELETE FROM busy", "node": "DeleteStmt", "locks": lock("RowExclusiveLock")}, 1000),
        ({"text": "DO $$BEGIN DELETE FROM busy; END$$", "node": "DoStmt", "deletes": {"public.busy": 0.5}}, 500),
    ],
)
def test_rows_that_exist_are_lost(values: dict[str, Any], lost: int | None) -> None:
    forecast = judge_one(observe(**{"locks": lock("AccessExclusiveLock"), **values}))
    assert (forecast.verdict, forecast.rows_lost) == ("loses_rows" if lost else "harmless", lost)
    assert forecast.not_known == ()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"drops": ("public.raw",)}, "how many rows public.raw has is not known: it was never analysed"),
        (
            {"text": "ALTER TABLE busy DROP fresh"},
            "how many values public.busy.fresh has is not known: it has no statistics",
        ),
        (
            {"text": "DELETE FROM busy WHERE name = ''", "node": "DeleteStmt", "locks": lock("RowExclusiveLock")},
            "how many rows of public.busy it deletes is not known",
        ),
    ],
)
def test_rows_of_which_the_number_is_not_known_are_lost(values: dict[str, Any], reason: str) -> None:
    forecast = judge_one(observe(**{"locks": lock("AccessExclusiveLock"), **values}))
    assert (forecast.verdict, forecast.rows_lost, forecast.not_known) == ("loses_rows", None, (reason,))


def transact(mode: str = "AccessShareLock", pid: int = 7, **values: Any) -> OpenTransaction:
    given: dict[str, Any] = {"snapshot": False, "locks": lock(mode), **values}
    return OpenTransaction(pid, "app", "web", "idle in transaction", 60.0, **given)


CONCURRENTLY = observe(
    "CREATE INDEX CONCURRENTLY i ON busy (name)", "IndexStmt", transactional=False,
    locks=lock("ShareUpdateExclusiveLock"), needs_old_transactions_to_end=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "transaction", "waits"),
    [
        (observe(locks=lock("AccessExclusiveLock")), transact(), True),
        (observe(locks=lock("AccessExclusiveLock", "public.empty")), transact(), False),
        (observe(locks=lock("ShareLock")), transact("RowShareLock"), False),
        (observe(locks=lock("ShareLock")), transact("RowExclusiveLock"), True),
        (observe(locks=lock("ShareLock")), transact("ShareLock"), False),
        (observe(locks=lock("RowExclusiveLock")), transact("ShareLock"), True),
        (observe(locks=lock("AccessExclusiveLock")), transact("ShareUpdateExclusiveLock", autovacuum=True), False),
        (
            observe(locks=lock("AccessExclusiveLock")),
            transact("ShareUpdateExclusiveLock", autovacuum=True, wraparound=True),
            True,
        ),
        (CONCURRENTLY, transact(locks=(), snapshot=True), True),
        (CONCURRENTLY, transact(locks=(), snapshot=True, autovacuum=True, wraparound=True), False),
        (CONCURRENTLY, transact(locks=()), False),
        (CONCURRENTLY, transact("RowExclusiveLock"), True),
        (CONCURRENTLY, transact("RowShareLock"), False),
        (
            observe("DROP INDEX CONCURRENTLY i", "DropStmt", transactional=False, locks=lock("ShareUpdateExclusiveLock")),
            transact("AccessShareLock"),
            True,
        ),
    ],
)
def test_a_statement_waits_for_conflicting_locks_and_for_old_snapshots(
    statement: ObservedStatement, transaction: OpenTransaction, waits: bool
) -> None:
    forecast = judge_one(statement, numbers=replace(NUMBERS, transactions=(transaction,)))
    assert forecast.waits_for == ((7,) if waits else ())


def test_a_prepared_transaction_in_the_way_is_named() -> None:
    numbers = replace(NUMBERS, transactions=(transact(pid=0, prepared="transfer-1"),))
    forecast = judge_one(observe(locks=lock("AccessExclusiveLock")), numbers=numbers)
    assert forecast.waits_for == ()
    assert forecast.not_known == ("it waits for the prepared transaction transfer-1, which has no pid: see pg_prepared_xacts",)
