"""psql and pg_dump here, on the database of a Fly app: through `fly proxy`, with a URL that nobody sees."""

import json
from collections.abc import Iterator

import pytest

from tests.fly.operating import STAGING, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project

HOST = "gaia-db.flycast"
SECRET = "ge heim:1"
QUERY = "SELECT current_database()"


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    """Yield an operator of an app whose machine has the URL of a database in the private network."""
    with operate_remotely(fly, project, database) as remote:
        fly.add_host(HOST, 5432, database.server.cluster.socket)
        remote.deploy(variables={"DATABASE_URL": f"postgresql://postgres:ge%20heim%3A1@{HOST}/{database.name}?sslmode=disable"})
        yield remote


def test_psql_and_pg_dump_run_here_through_the_proxy(remote: RemoteOperator) -> None:
    remote.operator.database.execute("CREATE TABLE t AS SELECT 4711 AS id")
    result = remote.inv("db.psql", "--env=staging", "--command", QUERY, PGHOST="elsewhere", PGPASSWORD="wrong", PGSERVICE="mine")
    assert remote.operator.database.name in result.stdout
    assert "4711" in remote.inv("db.dump", "--env=staging").stdout
    assert remote.inv("db.wait", "--env=staging").returncode == 0
    proxied = [call for call in remote.fly.calls if call[0] == "proxy" and HOST in call]
    assert [call[1] for call in proxied] == ["0:5432"] * 3
    assert SECRET not in json.dumps(remote.fly.calls) + result.stdout + result.stderr
    assert not remote.fly.proxies()


def test_statements_come_from_stdin_and_the_exit_code_is_that_of_psql(remote: RemoteOperator) -> None:
    run = remote.operator.project.inv
    failed = run("db.psql", "--env=staging", input="SELECT 1/0; SELECT 'next';", env=remote.env, check=3)
    assert "division by zero" in failed.stderr
    assert "next" not in failed.stdout


def test_a_direct_url_is_preferred_as_by_a_run(remote: RemoteOperator) -> None:
    remote.fly.add_host("direct.x.flympg.net", 5433, remote.operator.database.server.cluster.socket)
    url = f"postgresql://postgres@direct.x.flympg.net:5433/{remote.operator.database.name}"
    remote.machine.change_environment(DIRECT_DATABASE_URL=url)
    remote.inv("db.psql", "--env=staging", "--command", QUERY)
    assert remote.fly.calls[-1][1:3] == ["0:5433", "direct.x.flympg.net"]


def test_what_is_local_to_the_machine_is_reached_at_its_address(remote: RemoteOperator) -> None:
    address = remote.fly.state.read_app(STAGING)["machines"][0]["private_ip"]  # type: ignore[index]
    remote.fly.add_host(address, 5432, remote.operator.database.server.cluster.socket)
    remote.machine.change_environment(DATABASE_URL=f"postgresql://postgres@localhost/{remote.operator.database.name}")
    remote.inv("db.psql", "--env=staging", "--command", QUERY)


@pytest.mark.parametrize(
    ("url", "exit_code", "message"),
    [
        ("postgresql://u:geheim@/d?host=/run/postgresql", 3, "is reached by a socket on the machine"),
        ("", 1, "DATABASE_URL is not set on machine"),
        ("mysql://u:geheim@h/d", 1, "it begins with mysql://"),
        ("postgresql://u:geheim@/d", 1, "names no host"),
    ],
)
def test_a_url_that_leads_nowhere_from_here_is_refused(remote: RemoteOperator, url: str, exit_code: int, message: str) -> None:
    remote.machine.change_environment(DATABASE_URL=url)
    result = remote.inv("db.psql", "--env=staging", "--command", QUERY, check=exit_code)
    assert message in result.stderr
    assert "geheim" not in result.stderr + result.stdout


def test_a_guarded_app_is_asked_about_before_anything_is_read(remote: RemoteOperator) -> None:
    result = remote.inv("db.psql", "--env=staging", "--command", QUERY, check=3, GUARDED="staging")
    assert "staging is guarded" in result.stderr
    assert "inv db.psql --env=staging '--command=…' --yes" in result.stderr
    assert remote.fly.calls == []
    assert "guarded" in remote.inv("db.psql", "--env=staging", "--yes", "--command", QUERY, GUARDED="staging").stderr


def test_wait_polls_through_the_proxy_until_the_database_answers(remote: RemoteOperator) -> None:
    remote.fly.add_host(HOST, 5432, remote.keys / "nothing")
    result = remote.inv("db.wait", "--env=staging", "--timeout=2", check=1)
    assert "accepted no connection within 2 s" in result.stderr
