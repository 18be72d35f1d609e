"""The cost of a database for each test: this tool's fixture beside that of pytest-postgresql, which runs the same SQL.

The fixture is measured on the embedded server for tests, its default, and on the server of the other one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.kit.timing import Sample
from benchmarks.kit.tools import install_other_tools
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

OURS, OURS_SHARED, THEIRS = "migrated_database", "the same, on this server", "pytest-postgresql, on this server"
TESTS = 50

_TEST = """
import psycopg
import pytest

@pytest.mark.parametrize("number", range({number}))
def test_with_a_database({fixture}, number):
    with psycopg.connect({url}) as connection:
        connection.execute("SELECT count(*) FROM schema_migrations" if {ours} else "SELECT 1")
"""
_OURS = _TEST.replace("{fixture}", "migrated_database").replace("{url}", "migrated_database").replace("{ours}", "True")
_THEIRS = _TEST.replace("{fixture}", "database").replace("{url}", "database").replace("{ours}", "False")
_THEIR_CONFTEST = """
from pathlib import Path
import psycopg
import pytest
from pytest_postgresql import factories

def load(**connection):
    with psycopg.connect(**connection | dict(autocommit=True)) as session:
        for path in sorted(Path({ups!r}).glob("*.sql")):
            session.execute(path.read_text())

server = factories.postgresql_noproc(host={host!r}, port={port!r}, user="postgres", dbname="theirs", load=[load])
postgresql = factories.postgresql("server")

@pytest.fixture
def database(postgresql):
    return postgresql.info.dsn
"""


@dataclass
class FixtureBenchmark:
    """A server, a working folder, and the number of runs of each command."""

    server: Server
    home: Path
    runs: int

    def time(self) -> dict[str, Sample]:
        """Return the seconds for one test: of a run of many tests without that of a run of one, by the number of tests."""
        programs = {OURS: sys.executable, OURS_SHARED: sys.executable}
        theirs = install_other_tools()
        if theirs is None:
            print("pytest-postgresql is skipped: it could not be installed")
        else:
            programs[THEIRS] = str(theirs / "python")
        folders = {name: self._write(name) for name in programs}
        seconds: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(self.runs):
            for name, program in programs.items():
                url = "" if name == OURS else self.server.url()
                one, many = (self._run(folders[name], program, file, url) for file in ("test_one.py", "test_many.py"))
                seconds[name].append(max(many - one, 0.001) / (TESTS - 1))
        return {name: Sample(tuple(each)) for name, each in seconds.items()}

    def _write(self, name: str) -> Path:
        folder = self.home / "fixtures" / name.replace(" ", "").replace(",", "")
        folder.mkdir(parents=True)
        socket = self.server.cluster.socket_folder
        theirs = _THEIR_CONFTEST.format(ups=str(REPOSITORY / "migrations/up"), host=str(socket), port=5432)
        (folder / "conftest.py").write_text(theirs if name == THEIRS else 'pytest_plugins = ["tasks.testing"]\n')
        for file, number in (("test_one.py", 1), ("test_many.py", TESTS)):
            (folder / file).write_text((_THEIRS if name == THEIRS else _OURS).replace("{number}", str(number)))
        (folder / "pytest.ini").write_text("[pytest]\n")
        return folder

    def _run(self, folder: Path, program: str, file: str, url: str) -> float:
        environment = {**os.environ, "SCRATCH_DATABASE_URL": url, "PYTHONPATH": str(REPOSITORY)}
        command = [program, "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
        start = time.perf_counter()
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if result.returncode != 0:
            raise subprocess.CalledProcessError(result.returncode, command, result.stdout[-2000:], result.stderr[-2000:])
        return seconds
