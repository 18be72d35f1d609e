"""Environments on Fly beside each other, and what is told when a run there fails."""

from collections.abc import Callable, Iterator

import pytest

from tasks.runner.events import StatusesRead, from_json
from tests.fly.operating import ENGINEER, STAGING, Far, work_far
from tests.kit.databases import Database
from tests.kit.endpoints import open_endpoint
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B

PROD = "gaia-gateway-prod"


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    """Give an engineer."""
    with work_far(fly, project, database) as far:
        yield far


def test_apps_are_columns_and_one_without_a_started_machine_says_so(far: Far, new_database: Callable[[], Database]) -> None:
    far.operator.write_tables(A)
    far.operator.migrate(environment="staging")
    far.operator.write_tables(B)
    far.deploy()
    far.fly.add_app("gaia-gateway-dev", new_database(), files=far.operator.project.root)
    far.fly.add_app(PROD, new_database(), state="stopped")
    overview = from_json(far.inv("db.status", "--env=prod,staging,dev", "--json", "--check", check=4).stdout)
    assert isinstance(overview, StatusesRead)
    prod, staging, dev = overview.environments
    assert prod.error.startswith(f"the app {PROD} has no started machine: ")
    assert "--start" in prod.hint
    assert [row.state for row in staging.rows] == ["applied", "pending"]
    assert [row.state for row in dev.rows] == ["pending", "pending"]


def test_a_run_that_fails_there_sends_one_message_from_here(far: Far) -> None:
    far.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    far.deploy()
    with open_endpoint() as endpoint:
        far.inv("db.migrate", "--env=staging", check=1, ALERT_URLS=endpoint.url())
        rows = endpoint.read_rows()
    assert (rows["Environment"], rows["Migration"], rows["Statement"]) == ("staging", A, "line 2: SELECT 1/0")
    assert rows["Error"] == "division by zero (22012)"
    assert rows["Where"] == f"migrations/up/{A}.sql:2:1"
    assert rows["State"] == f"{A} was rolled back completely."
    assert rows["Who"].startswith(f"{ENGINEER} on ")
    assert rows["Run"] in far.operator.read_history()[0].run_id


def test_a_refusal_there_sends_nothing(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()
    far.operator.write_tables(B)
    with open_endpoint() as endpoint:
        far.inv("db.migrate", "--env=staging", check=3, ALERT_URLS=endpoint.url())
        assert endpoint.messages == []
    assert far.fly.machines(STAGING)[0].connections
