"""Status of several environments on Fly side by side, and alerts about a run on a machine."""

from collections.abc import Callable, Iterator

import pytest

from tasks.runner.events import StatusesRead, from_json
from tests.fly.operating import ENGINEER, STAGING, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.endpoints import open_endpoint
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B

PROD = "gaia-gateway-prod"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator."""
    with operate_remotely(fly, project, database) as remote:
        yield remote


def test_each_app_is_a_column_and_an_app_without_a_started_machine_has_an_error(
    remote: RemoteOperator, new_database: Callable[[], Database]
) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate(environment="staging")
    remote.operator.write_tables(B)
    remote.deploy()
    remote.fly.add_app("gaia-gateway-dev", new_database(), files=remote.operator.project.root)
    remote.fly.add_app(PROD, new_database(), state="stopped")
    overview = from_json(remote.inv("db.status", "--env=prod,staging,dev", "--json", "--check", check=4).stdout)
    assert isinstance(overview, StatusesRead)
    prod, staging, dev = overview.environments
    assert prod.error.startswith(f"the app {PROD} has no started machine: ")
    assert "--start" in prod.hint
    assert (staging.error, dev.error) == ("", "")
    assert [row.state for row in staging.rows] == ["applied", "pending"]
    assert [row.state for row in dev.rows] == ["pending", "pending"]


def test_a_run_that_fails_on_the_machine_sends_one_message_from_the_local_process(remote: RemoteOperator) -> None:
    remote.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    remote.deploy()
    with open_endpoint() as endpoint:
        remote.inv("db.migrate", "--env=staging", check=1, ALERT_URLS=endpoint.url())
        rows = endpoint.read_rows()
    assert (rows["Environment"], rows["Migration"], rows["Statement"]) == ("staging", A, "line 2: SELECT 1/0")
    assert rows["Error"] == "division by zero (22012)"
    assert rows["Where"] == f"migrations/up/{A}.sql:2:1"
    assert rows["State"] == f"{A} was rolled back completely."
    assert rows["Who"].startswith(f"{ENGINEER} on ")
    assert rows["Run"] in remote.operator.read_history()[0].run_id


def test_a_refusal_on_the_machine_sends_nothing(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    remote.operator.write_tables(B)
    with open_endpoint() as endpoint:
        remote.inv("db.migrate", "--env=staging", check=3, ALERT_URLS=endpoint.url())
        assert endpoint.messages == []
    assert remote.fly.machines(STAGING)[0].connections
