"""The server crashes: what was not on disk yet is missing in the ledger as in the schema."""

from collections.abc import Callable

import pytest

from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.stress import running
from tests.stress.blocking import PASS_GATE, await_waiting_at_gate, gate_closed

VERSIONS = [f"202501{day:02}000000_table_{day}" for day in range(1, 9)]
LAST = "20250131000000_last"
APPLIED = "SELECT version FROM schema_migrations ORDER BY version"
TABLES = "SELECT relname::text FROM pg_class WHERE relname ~ '^table_[0-9]+$' ORDER BY length(relname), relname"


@pytest.fixture
def server(new_server: Callable[..., OwnServer]) -> OwnServer:
    """Return a server whose commits wait for the disk, and that writes nothing else for a while."""
    server = new_server()
    server.start(synchronous_commit="on", wal_writer_delay="10s")
    return server


def write_tables(project: Project) -> None:
    for day, version in enumerate(VERSIONS, 1):
        project.write_up(version, f"CREATE TABLE table_{day} (id int);")


def crash(server: OwnServer, database: Database) -> None:
    database.close()
    server.kill()
    server.start()


def test_what_a_crash_loses_of_a_run_the_next_run_repeats(project: Project, server: OwnServer) -> None:
    with fresh_database(server) as database:
        project = project.at(database.url)
        write_tables(project)
        project.write_up(LAST, PASS_GATE)
        with gate_closed(database):
            run = running.start(project)
            await_waiting_at_gate(database)
            crash(server, database)
        run.fail()
        kept = len(database.query(APPLIED))
        assert database.query(TABLES) == [(f"table_{day}",) for day in range(1, kept + 1)]
        running.start(project).succeed()
        assert database.query(APPLIED) == [(version,) for version in [*VERSIONS, LAST]]
        assert len(database.query(TABLES)) == len(VERSIONS)


def test_a_crash_loses_nothing_of_a_finished_run(project: Project, server: OwnServer) -> None:
    with fresh_database(server) as database:
        project = project.at(database.url)
        write_tables(project)
        running.start(project).succeed()
        crash(server, database)
        assert database.query(APPLIED) == [(version,) for version in VERSIONS]
        assert len(database.query(TABLES)) == len(VERSIONS)
