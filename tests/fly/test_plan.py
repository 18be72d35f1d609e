"""The forecast for a database on Fly: the machine sends status and numbers, the rehearsal is local."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator with a table that has rows on staging, and a pending file that the image does not contain."""
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A)
        remote.deploy()
        remote.operator.migrate(environment="staging")
        remote.operator.write(B, "DROP TABLE a;")
        remote.operator.database.execute("INSERT INTO a SELECT generate_series(1, 5000)")
        remote.operator.database.execute("SELECT pg_stat_force_next_flush()")
        remote.operator.database.execute("ANALYZE a")
        yield remote


def test_the_numbers_of_the_machine_are_joined_with_a_local_rehearsal(remote: RemoteOperator, embedded: Server) -> None:
    with remote.operator.database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM a LIMIT 1")
        pid = reader.info.backend_pid
        shown = remote.inv("db.plan", "--env=staging", SCRATCH_DATABASE_URL=embedded.url()).stdout
    assert "Forecasting 1 of 2 migrations (pending in staging)" in shown
    assert f"❌ loses about 5,000 rows: {B}.sql:1" in shown
    assert f"in the way now: pid {pid} (" in shown


def test_an_image_that_cannot_send_its_numbers_leaves_a_forecast_without_them(remote: RemoteOperator, embedded: Server) -> None:
    remote.machine.edit("tasks/console/script.py", 'add("numbers"', 'add("nombers"')
    shown = remote.inv("db.plan", "--env=staging", SCRATCH_DATABASE_URL=embedded.url()).stdout
    assert f"{B}.sql:1" in shown
    assert "   - sizes, activity and durations: " in shown
