"""db.mark and db.rollback --only on a Fly machine: confirmed and proved here, run there."""

from collections.abc import Iterator

import pytest

from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B, C

STAGED = "--env=staging"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator of a deployed app whose database has the migrations A, B and C."""
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A, B, C)
        remote.operator.migrate(environment="staging")
        remote.deploy()
        yield remote


def test_mark_asks_here_and_records_there(remote: RemoteOperator) -> None:
    refused = remote.inv("db.mark", C, "--unmark", STAGED, check=3)
    assert f"🔧 {C}: unmark" in refused.stdout
    remote.inv("db.mark", C[:14], "--unmark", "--yes", STAGED)
    assert remote.operator.read_states() == {A: "applied", B: "applied", C: "pending"}
    remote.inv("db.mark", C, "--yes", STAGED)
    assert remote.operator.read_states() == {A: "applied", B: "applied", C: "applied"}
    assert "there is no version" in remote.inv("db.mark", "2099", "--yes", STAGED, check=2).stdout


def test_only_one_is_proved_here_and_rolled_back_there(remote: RemoteOperator) -> None:
    scratch = remote.operator.database.server.url()
    result = remote.inv("db.rollback", f"--only={B}", STAGED, SCRATCH_DATABASE_URL=scratch)
    assert "Proved on scratch" in result.stdout
    assert remote.operator.read_tables() == ["a", "c"]


def test_a_down_file_that_only_the_image_has_is_not_proved(remote: RemoteOperator) -> None:
    (remote.operator.project.migrations / "down" / f"{B}.sql").write_text("DROP TABLE b; -- edited here")
    remote.operator.database.execute("UPDATE schema_migrations_scripts SET down_text = 'DROP TABLE a'")
    scratch = remote.operator.database.server.url()
    result = remote.inv("db.rollback", f"--only={B}", STAGED, SCRATCH_DATABASE_URL=scratch, check=3)
    assert "that this checkout does not have" in result.stderr
    assert remote.operator.read_tables() == ["a", "b", "c"]


@pytest.mark.parametrize("command", ["db.reset", "db.drop", "db.redo", "db.create"])
def test_what_is_local_is_refused(remote: RemoteOperator, command: str) -> None:
    arguments = () if command == "db.redo" else ("--yes",)
    result = remote.inv(command, STAGED, *arguments, check=3)
    assert "Fly" in result.stderr
    assert remote.operator.read_tables() == ["a", "b", "c"]
