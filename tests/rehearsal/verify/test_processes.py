"""Several processes verify a history with the same result as one, and leave nothing behind however they end."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.rehearsal.events import MigrationVerified
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verify import VerifyOptions, verify
from tasks.rehearsal.verify.workers import client
from tasks.rehearsal.verify.workers.client import plan_chunks
from tasks.runner.events import Event
from tests.kit.own_servers import OwnServer
from tests.kit.projects import make_project
from tests.kit.waiting import LIMIT_S, wait_until
from tests.rehearsal.scratching import list_databases
from tests.rehearsal.verifying import list_found, make_migrations

TABLE = "CREATE TABLE {0} (id int); INSERT INTO {0} VALUES (1);"
HISTORY = make_migrations(
    (TABLE.format("a"), "DROP TABLE a;"),
    ("SELECT 1 / 0;", "SELECT 1;"),
    (TABLE.format("b"), "SELECT 1;"),
    ("GRANT SELECT ON a TO app_reader;", "REVOKE SELECT ON a FROM app_reader;"),
    ("ALTER TABLE a DROP COLUMN id;", "ALTER TABLE a ADD COLUMN id int;"),
    ("SELECT * FROM nothing;", "SELECT 1;"),
    ("CREATE EXTENSION nothing_like_it;", "DROP EXTENSION nothing_like_it;"),
    ("DO $$ BEGIN ASSERT (SELECT count(*) FROM b) = 1; END $$;", "SELECT 1;"),
)
FOUND = [
    [], ["up_fails"], ["not_restored", "not_restored", "up_again_fails"], [], [], ["up_fails"], ["not_checked"], [],
]  # fmt: skip
SLOW = ("SELECT pg_sleep(600);", "SELECT 1;")


def start(server: ScratchServer, migrations: tuple[RehearsedMigration, ...], processes: int) -> Iterator[Event]:
    selection = Selection(migrations, tuple(migration.name for migration in migrations), "all")
    return verify(server, selection, VerifyOptions(), processes=processes)


def read_results(events: Iterator[Event]) -> list[MigrationVerified]:
    return [replace(event, duration_ms=0) for event in events if isinstance(event, MigrationVerified)]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[Any]"]:
    """Return the workers that are started from now on, for few migrations too."""
    processes: list[subprocess.Popen[Any]] = []

    class NotedProcess(subprocess.Popen[Any]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", NotedProcess)
    monkeypatch.setattr(client, "_FEWEST", 4)
    return processes


def test_the_results_are_those_of_one_process(scratch: ScratchServer, started: list["subprocess.Popen[Any]"]) -> None:
    expected = read_results(start(scratch, HISTORY, 1))
    assert started == []
    assert read_results(start(scratch, HISTORY, 4)) == expected
    assert [process.returncode for process in started] == [0, 0], "no more than have enough to do, on any number of processors"
    assert [list_found(each) for each in expected] == FOUND


def test_what_a_killed_worker_had_to_do_is_done_by_this_process(
    scratch: ScratchServer, started: list["subprocess.Popen[Any]"]
) -> None:
    expected = read_results(start(scratch, HISTORY, 1))
    events = start(scratch, HISTORY, 2)
    results = [next(events), next(events)]
    for process in started:
        process.kill()
    assert read_results(iter([*results, *events])) == expected

    def is_swept() -> bool:
        scratch.sweep()
        return list_databases_of(scratch) == 0

    wait_until(is_swept, what="the sweep of the databases of killed workers")


def list_databases_of(server: ScratchServer) -> int:
    """Return the number of scratch databases on a server."""
    row = server.administer().execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'migrate_scratch_%'").fetchone()
    assert row is not None
    count: int = row[0]
    return count


def count_sleeping(server: ScratchServer) -> int:
    """Return the number of databases in which a migration sleeps."""
    sleeping = "SELECT count(DISTINCT datname) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    return int((server.administer().execute(sleeping).fetchone() or (0,))[0])


def test_an_end_in_the_middle_leaves_no_process_and_no_database(
    scratch: ScratchServer, started: list["subprocess.Popen[Any]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PATIENCE_S", LIMIT_S)
    slow = tuple(replace(each, up=SLOW[0], down=SLOW[1]) if place else each for place, each in enumerate(HISTORY))
    events = start(scratch, slow, 2)
    assert isinstance([next(events), next(events)][-1], MigrationVerified)
    wait_until(lambda: count_sleeping(scratch) == 2, what="two workers")
    events.close()  # type: ignore[attr-defined]
    assert [process.poll() is None for process in started] == [False, False]
    assert list_databases_of(scratch) == 0


def test_ctrl_c_leaves_no_process_and_no_database(running: OwnServer, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "", running.url())
    for number in range(16):
        project.write_up(f"202501{number + 10}000000_slow", SLOW[0])
        project.write_down(f"202501{number + 10}000000_slow", SLOW[1])
    process = project.start_inv("db.verify", "--all", env={"DATABASE_URL": ""})
    with ScratchServer(running.url()) as server:
        wait_until(lambda: count_sleeping(server) == 2, what="two workers")
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode not in (0, 4)
        assert list_databases(running, "scratch") == set()


@pytest.mark.parametrize(
    ("count", "processes", "sizes"),
    [(0, 2, []), (15, 2, []), (100, 1, []), (16, 2, [4, 4, 4, 4]), (280, 2, [35] * 8), (281, 2, [36] * 7 + [29])],
)
def test_each_worker_gets_several_chunks(count: int, processes: int, sizes: list[int]) -> None:
    chunks = plan_chunks([str(number) for number in range(count)], processes)
    assert [len(chunk) for chunk in chunks] == sizes
    assert [version for chunk in chunks for version in chunk] == [str(number) for number in range(count)] * bool(sizes)
