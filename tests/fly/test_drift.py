"""A schema that travels from a machine on Fly to be compared here."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    """Give an engineer whose two migrations are applied on staging."""
    with work_far(fly, project, database) as far:
        far.operator.write_tables(A, B)
        far.deploy(variables={"WATCH_DRIFT": "on"})
        far.operator.migrate(environment="staging", watch_drift=True)
        yield far


def test_a_drift_on_staging_is_found_here_and_in_its_status(far: Far, embedded: Server) -> None:
    assert "No drift" in far.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url()).stdout
    far.operator.database.execute("ALTER TABLE a ADD COLUMN by_hand int")
    told = far.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url(), check=4).stdout
    assert "+ column by_hand of public.a" in told
    assert "inv db.drift --env=staging" in far.inv("db.status", "--env=staging,dev", "--check", check=4).stdout


def test_an_image_that_cannot_send_its_schema_is_to_be_replaced(far: Far, embedded: Server) -> None:
    far.machine.edit("tasks/console/script.py", 'add("catalog"', 'add("katalog"')
    told = far.inv("db.drift", "--env=staging", SCRATCH_DATABASE_URL=embedded.url(), check=1)
    assert "older version of this tool" in told.stderr
    assert "Deploy first" in told.stderr
