"""`inv db.wait`: it ends when the database accepts a connection, when the time is over, or when waiting cannot help."""

import signal
from collections.abc import Callable

import pytest

from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S


def test_it_waits_for_a_server_that_starts(project: Project, new_server: Callable[..., OwnServer]) -> None:
    server = new_server()
    process = project.at(server.url()).start_inv("db.wait", f"--timeout={LIMIT_S}")
    assert process.stderr is not None
    assert f"Waiting up to {LIMIT_S} s" in process.stderr.readline()
    server.start()
    assert process.wait(LIMIT_S) == 0


def test_without_a_server_it_exits_with_1_after_the_timeout(project: Project) -> None:
    result = project.at("postgresql://postgres@127.0.0.1:1/d").inv("db.wait", "--timeout=1", check=1)
    assert "the database accepted no connection within 1 s" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("change", [{"dbname": "missing"}, {"user": "missing"}])
def test_what_time_does_not_change_ends_it_at_once(project: Project, database: Database, change: dict[str, str]) -> None:
    from psycopg.conninfo import make_conninfo

    result = project.at(make_conninfo(database.url, **change)).inv("db.wait", "--timeout=600", check=1)
    assert "does not exist" in result.stderr
    assert "Waiting" not in result.stderr


def test_it_ends_by_ctrl_c(project: Project) -> None:
    process = project.at("postgresql://postgres@127.0.0.1:1/d").start_inv("db.wait", "--timeout=600")
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(LIMIT_S) == 1


@pytest.mark.parametrize("timeout", ["0", "-1", "x", "nan", "inf", "1e9", ""])
def test_a_timeout_must_be_a_number_of_seconds(project: Project, timeout: str) -> None:
    result = project.inv("db.wait", f"--timeout={timeout}", check=2)
    assert f"--timeout={timeout} is not a valid duration" in result.stderr
