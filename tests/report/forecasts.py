"""Samples of forecasts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from tasks.forecast.events import ForecastFailed, ForecastFinished, ForecastStarted, RelationFacts, StatementForecast
from tasks.report.forecast.collecting import CompleteForecast
from tasks.runner.events.numbers import OpenTransaction, RelationLock
from tests.report.samples import ERROR

USERS = "20251101000000_add_email"
OLD = "20251102000000_drop_old_users"
EVENTS = "20251103000000_partition_events"
BAD = "20251104000000_bad"
EVERYTHING = ("select", "insert", "update", "delete", "ddl")
WRITES = ("insert", "update", "delete", "ddl")
PARTITIONS = tuple(f"public.events_{2000 + number // 12}_{number % 12 + 1:02}" for number in range(312))
_MODES = {"select": "AccessExclusiveLock", "insert": "ShareRowExclusiveLock", "ddl": "ShareUpdateExclusiveLock"}


def make_statement(
    version: str, line: int, text: str, verdict: str, keeps_out: Mapping[str, tuple[str, ...]], **changes: Any
) -> StatementForecast:
    """Return the forecast of a statement, which holds its locks to its own end."""
    locks = tuple(RelationLock(relation, _MODES[operations[0]]) for relation, operations in keeps_out.items())
    made = StatementForecast(
        version, line, text, True, locks, line, (), (), keeps_out, verdict, (0.0, 0.04), None, (), "observed", (), number=line
    )
    return replace(made, **{"blocked_seconds": (0.0, 0.04), **changes})


ADD_EMAIL = make_statement(
    USERS,
    3,
    "ALTER TABLE users\n    ADD COLUMN email text",
    "blocks_all",
    {"public.users": EVERYTHING},
    held_to=12,
    blocked_seconds=(4.2, 12.4),
    waits_for=(4711,),
)
INDEX_ORDERS = make_statement(
    USERS,
    7,
    "CREATE INDEX orders_user ON orders (user_id)",
    "blocks_writes",
    {"public.orders": WRITES},
    held_to=12,
    scans=("public.orders",),
    seconds=(4.1, 12.3),
    blocked_seconds=(4.1, 12.3),
    disk_bytes=3_200_000_000,
    not_known=("how wide public.orders.note is",),
)
COMMENT = make_statement(USERS, 12, "COMMENT ON TABLE users IS 'people'", "harmless", {"public.users": ("ddl",)})
DROP_OLD = make_statement(OLD, 1, "DROP TABLE old_users", "loses_rows", {"public.old_users": EVERYTHING}, rows_lost=12034)
INDEX_USERS = make_statement(
    OLD,
    2,
    "CREATE INDEX CONCURRENTLY users_email ON users (email)",
    "harmless",
    {"public.users": ("ddl",)},
    transactional=False,
    source="known",
    seconds=(60.0, 300.0),
    scans=("public.users",),
)
ADD_KEY = make_statement(
    EVENTS,
    5,
    "ALTER TABLE events ADD COLUMN key uuid DEFAULT gen_random_uuid()",
    "blocks_all",
    {"public.events": EVERYTHING, **dict.fromkeys(PARTITIONS, EVERYTHING)},
    rewrites=PARTITIONS,
    seconds=None,
    blocked_seconds=None,
    not_known=("how long a rewrite takes",),
)
ASSUMED = "whether prod has the schema of its migrations: the forecast assumes it (inv db.drift --env=prod compares)"
STARTED = ForecastStarted(3, 16, "pending in prod", 180001, (), "prod", 180001, (ASSUMED,))
FACTS = (
    *(RelationFacts(partition, 1000, 3_000_000, "public.events") for partition in PARTITIONS),
    RelationFacts("public.users", 12_000_000, 3_200_000_000),
    RelationFacts("public.orders", 120_000, 64_000_000),
)
IDLE = OpenTransaction(
    4711, "gaia", "psql", "idle in transaction", 240.2, True, (RelationLock("public.users", "AccessShareLock"),)
)
FAILED = ForecastFailed(BAD, ERROR, 2)


def make_forecast(statements: Iterable[StatementForecast], *failures: ForecastFailed, **changes: Any) -> CompleteForecast:
    """Return the forecast of some statements, in which the facts of the samples are known."""
    made = tuple(statements)
    verdicts = {each.verdict: sum(other.verdict == each.verdict for other in made) for each in made}
    versions = {each.version for each in made}
    needed = max((each.disk_bytes or 0 for each in made), default=0)
    finished = ForecastFinished(
        len(versions), len(made), len(failures), 1234, verdicts, needed or None, 12_000_000_000, FACTS, (IDLE,)
    )
    return CompleteForecast(replace(STARTED, count=len(versions)), made, replace(finished, **changes), failures)


FORECAST = make_forecast((ADD_EMAIL, INDEX_ORDERS, COMMENT, DROP_OLD, INDEX_USERS, ADD_KEY), FAILED)


def make_large_forecast(files: int) -> CompleteForecast:
    """Return the forecast of many files, each of which changes one table and builds an index on another."""
    statements: list[StatementForecast] = []
    for number in range(files):
        version = f"2025{number:010}_change"
        first, second = (f"public.table_{letter * (number % 40 + 1)}" for letter in "ab")
        alter = make_statement(version, 1, "ALTER TABLE …", "brief", {first: EVERYTHING}, held_to=2)
        statements += [alter, make_statement(version, 2, "CREATE INDEX …", "blocks_writes", {second: WRITES})]
    return make_forecast(statements)
