"""The forecast of common statements, compared with what other sessions meet while the statement is open."""

from collections.abc import Callable, Iterator

import pytest

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import observe
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tests.forecast.truth.cases import CASES, TruthCase
from tests.forecast.truth.measuring import OPTIONAL, ROWS, SCHEMA, Truth, measure
from tests.kit.databases import Database
from tests.kit.servers import Server

_BASE, _BEFORE, _PENDING = "20250101000000_schema", "20250102000000_before", "20250103000000_pending"


@pytest.fixture(scope="module")
def open_scratch() -> Iterator[Callable[[Server], ScratchServer]]:
    """Yield a function that returns the scratch server on a server, which keeps its cached states for the tests of a module."""
    opened: dict[str, ScratchServer] = {}

    def open_server(server: Server) -> ScratchServer:
        url = server.url("postgres")
        if url not in opened:
            opened[url] = ScratchServer(url)
        return opened[url]

    yield open_server
    for server in opened.values():
        server.drop_states()
        server.close()


def forecast(server: ScratchServer, case: TruthCase) -> ObservedStatement:
    """Return the forecast of the statement of a case."""
    texts = {_BASE: SCHEMA, _BEFORE: ";\n".join(case.before), _PENDING: case.statement}
    migrations = tuple(RehearsedMigration(version, text) for version, text in texts.items() if text)
    applied = frozenset(migration.name for migration in migrations[:-1])
    (found,) = observe(server, Selection(migrations, (_PENDING,), "pending", applied))
    assert isinstance(found, ObservedStatement), found
    return found


def describe(found: ObservedStatement) -> Truth:
    """Return a forecast in the form of a measurement."""
    return Truth(
        {lock.relation: lock.mode for lock in found.locks},
        set(found.rewrites),
        set(found.scans) - set(found.rewrites),
        {name: set(operations) for name, operations in found.keeps_out.items() if name not in OPTIONAL},
    )


@pytest.mark.newest
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.statement[:60])
def test_the_forecast_of_a_statement_is_what_other_sessions_meet(
    any_database: Database, open_scratch: Callable[[Server], ScratchServer], case: TruthCase
) -> None:
    any_database.execute(SCHEMA)
    any_database.execute(ROWS)
    truth = measure(any_database, case.before, case.statement)
    assert describe(forecast(open_scratch(any_database.server), case)) == truth
