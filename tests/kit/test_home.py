"""A run leaves nothing behind, even if it is killed: then the next run removes the rest."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.databases import ask
from tests.kit.home import find_marked, find_mounts
from tests.kit.processes import is_running
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S, wait_until

PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/kit/hanging.py")
pytestmark = pytest.mark.timeout(6 * LIMIT_S)


@dataclass(frozen=True)
class HangingRun:
    """A run whose test hangs: its process, its folder, the URL of its server and a process that was forked by it."""

    process: "subprocess.Popen[bytes]"
    home: Path
    url: str
    forked: int


@contextmanager
def start_run(folder: Path) -> Iterator[HangingRun]:
    """Start a run with one worker and yield it when its test hangs."""
    started = folder / "started"
    environment = {**os.environ, "STARTED": str(started)}
    with subprocess.Popen([*PYTEST, "-n", "1"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: started.exists() and started.read_text().count("\n") == 3, 2 * LIMIT_S, "the test to hang")
            home, url, forked = started.read_text().split()
            yield HangingRun(process, Path(home), url, int(forked))
        finally:
            process.kill()


def start_next_run() -> None:
    """Do what a run does at its start and at its end, in a process of its own."""
    code = "from tests.kit.home import make_home, remove_home; remove_home(make_home())"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def assert_nothing_is_left(run: HangingRun) -> None:
    """Fail if a folder, a process or a mounted disk of a run is left."""
    assert not run.home.exists()
    assert not find_mounts(run.home)
    assert not find_marked(run.home)
    # The system collects a process without a parent some time after its end.
    wait_until(lambda: not is_running(run.forked), what="the end of the forked process")


def test_a_run_that_gets_sigterm_leaves_nothing(tmp_path: Path) -> None:
    with start_run(tmp_path) as run:
        run.process.terminate()
        assert run.process.wait(LIMIT_S) == 2
        assert_nothing_is_left(run)


def test_the_next_run_removes_the_rest_of_a_killed_run_and_nothing_of_a_live_one(tmp_path: Path) -> None:
    with start_run(tmp_path) as run:
        start_next_run()
        assert ask(run.url, "SELECT 1") == 1
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
        assert run.home.exists()
        start_next_run()
        assert_nothing_is_left(run)
