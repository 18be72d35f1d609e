"""Plans on a Fly machine: whole statements, scripts for psql, and atomic runs."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B

STAGED = "--env=staging"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write(A, "CREATE TABLE a (\n  id int\n);")
        remote.operator.write(B, "CREATE TABLE b ();")
        remote.deploy()
        yield remote


def test_the_machine_writes_the_script_and_the_laptop_keeps_it(remote: RemoteOperator) -> None:
    file = remote.operator.project.root / "plan.sql"
    assert f"Wrote {file}: 2 migrations" in remote.inv("db.migrate", STAGED, f"--sql={file}").stdout
    script = remote.inv("db.migrate", STAGED, "--sql=-").stdout
    assert remote.operator.database.query("SELECT to_regclass('schema_migrations')::text") == [(None,)]
    psql = remote.operator.database.server.cluster.programs / "psql"
    for text in (file.read_text(), script):
        subprocess.run([psql, remote.operator.database.url], input=text, text=True, check=True, capture_output=True)
    assert remote.operator.read_applied() == [A, B]
    remote.inv("db.status", STAGED, "--check")


def test_a_dry_run_shows_whole_statements_and_an_atomic_run_commits_once(remote: RemoteOperator) -> None:
    printed = remote.inv("db.migrate", STAGED, "--atomic", "--dry-run", "--verbose").stdout
    assert "CREATE TABLE a (\n           id int\n         );" in printed
    assert "all in one transaction" in printed
    remote.inv("db.migrate", STAGED, "--atomic")
    assert remote.operator.database.query("SELECT count(*), count(DISTINCT xmin::text) FROM schema_migrations") == [(2, 1)]
