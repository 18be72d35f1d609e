"""The server's disk becomes full during a run."""

import shutil
from collections.abc import Callable

import pytest

from tests.kit.databases import fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.stress import running
from tests.stress.blocking import find_useless_indexes

FIRST, SECOND = "20250101000000_first", "20250102000000_second"
MEGABYTE = 1024**2
LEFT = 4 * MEGABYTE
ROWS = "SELECT n AS id, md5(n::text) || md5((-n)::text) AS name FROM generate_series(1, 60000) n"
CASES = {
    "transaction": (
        "SELECT 1;",
        f"CREATE UNLOGGED TABLE items AS {ROWS};",
        (f"{SECOND} was rolled back completely. 1 earlier migration of this run stays applied.",),
    ),
    "index": (
        f"CREATE UNLOGGED TABLE items AS {ROWS};",
        "CREATE INDEX CONCURRENTLY items_name ON items (name);",
        # A drop needs space for WAL, and the server may not have any.
        (
            f"Nothing of {SECOND} was applied. The invalid index that it left (public.items_name) was dropped.",
            f"Nothing of {SECOND} was applied. It left an invalid index, which the next run drops.",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_full_disk_is_reported_and_the_next_run_resumes_once_there_is_space(
    case: str, project: Project, new_server: Callable[..., OwnServer]
) -> None:
    first, second, states = CASES[case]
    server = new_server(disk_megabytes=128)
    server.start()
    with fresh_database(server) as database:
        project = project.at(database.url)
        project.write_up(FIRST, first)
        if case == "index":
            project.migrate(check=0)
        project.write_up(SECOND, second)
        ballast = server.cluster.data.with_name("ballast")
        ballast.write_bytes(bytes(shutil.disk_usage(ballast.parent).free - LEFT))
        error = running.start(project).fail()
        assert error.sqlstate == "53100"
        # A file that got a part of its block is reported with the number of bytes.
        assert "No space left on device" in error.message or "wrote only" in error.message
        assert error.hint.endswith("The server's disk is full. Free some space, then run the same command again.")
        assert error.state in states
        failed = "SELECT version, sqlstate FROM schema_migrations_log WHERE outcome = 'failed' ORDER BY id"
        assert database.query(failed) == [(SECOND, "53100"), (None, "53100")]
        ballast.unlink()
        running.start(project).succeed()
        assert database.query("SELECT version FROM schema_migrations ORDER BY 1") == [(FIRST,), (SECOND,)]
        assert database.query("SELECT count(*) FROM items") == [(60000,)]
        assert find_useless_indexes(database) == []
