"""Drift and verification for a database on Fly: the machine sends schema and status, and the local process compares."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator with two migrations that are applied on staging."""
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A, B)
        remote.deploy(variables={"WATCH_DRIFT": "on"})
        remote.operator.migrate(environment="staging", watch_drift=True)
        yield remote


def test_drift_on_staging_is_found_by_db_drift_and_by_status(remote: RemoteOperator, embedded: Server) -> None:
    assert "No drift" in remote.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url()).stdout
    remote.operator.database.execute("ALTER TABLE a ADD COLUMN by_hand int")
    result = remote.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url(), check=4).stdout
    assert "+ column by_hand of public.a" in result
    assert "inv db.drift --env=staging" in remote.inv("db.status", "--env=staging,dev", "--check", check=4).stdout


def test_a_file_that_the_image_lacks_is_verified(remote: RemoteOperator, embedded: Server) -> None:
    remote.operator.write_tables(C)
    shown = remote.inv("db.verify", "--env=staging", SCRATCH_DATABASE_URL=embedded.url()).stdout
    assert "Verifying 1 of 3 migrations (pending in staging)" in shown
    assert f"✅ {C}: up, down, up" in shown


def test_a_file_that_only_the_image_lacks_is_named_so(remote: RemoteOperator) -> None:
    remote.operator.write_tables(C)
    remote.operator.migrate(environment="staging", watch_drift=True)
    shown = remote.inv("db.status", "--env=staging").stdout
    assert "the image of staging does not contain its file; this checkout does" in shown
    remote.operator.remove(C)
    assert "neither the image of staging nor this checkout has its file" in remote.inv("db.status", "--env=staging").stdout


def test_an_image_that_cannot_send_its_schema_is_reported_as_outdated(remote: RemoteOperator, embedded: Server) -> None:
    remote.machine.edit("tasks/console/script.py", 'add("catalog"', 'add("katalog"')
    result = remote.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url(), check=1)
    assert "older version of this tool" in result.stderr
    assert "Deploy first" in result.stderr
