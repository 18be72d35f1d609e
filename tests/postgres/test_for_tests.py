"""The second embedded server, for the tests of an application."""

import os
from pathlib import Path

import psycopg

from tasks.postgres.server import embedded, for_tests


def run(url: str, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def test_the_server_for_tests_does_not_wait_for_the_disk_and_is_removed_after_a_crash(short_path: Path) -> None:
    home = short_path / ".postgres"
    try:
        url = for_tests.start(home)
        assert run(url, "SHOW fsync") == [("off",)]
        assert embedded.find_running(home) is None
        run(url, "CREATE DATABASE kept")
        assert for_tests.stop(home)
        data = home / "tests" / "data"
        assert run(for_tests.start(home), "SELECT datname FROM pg_database WHERE datname = 'kept'") == [("kept",)]
        assert for_tests.stop(home)
        # A file that the server removes when it stops, older than the start of the operating system.
        (data / "postmaster.pid").write_text("1\n")
        os.utime(data / "postmaster.pid", (0, 0))
        assert run(for_tests.start(home), "SELECT datname FROM pg_database WHERE datname = 'kept'") == []
    finally:
        for_tests.stop(home)
    assert not for_tests.stop(home)
