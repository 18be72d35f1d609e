"""An application that another team tests with the pytest plugin: its migrations, its seeds and its tests."""

import os
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.kit.forkserver import Running, run_process, start_process
from tests.kit.projects import REPOSITORY, Project, make_project
from tests.kit.waiting import LIMIT_S

_RESULT = re.compile(r"(\d+) (passed|failed|error|skipped)")
_CONFTEST = 'pytest_plugins = ["tasks.testing"]\n'
_INI = f"[pytest]\npythonpath = {REPOSITORY}\nfilterwarnings = error\n"


@dataclass(frozen=True)
class PytestRun:
    """What pytest printed, its exit code, and the number of tests with each result."""

    output: str
    code: int

    @property
    def results(self) -> Counter[str]:
        """Return how many tests passed, failed, had an error or were skipped."""
        return Counter({kind: int(number) for number, kind in _RESULT.findall(self.output.rstrip().rpartition("\n")[2])})


@dataclass(frozen=True)
class AppUnderTest:
    """The folder of an application, and the server for the databases of its tests; empty for the embedded one."""

    project: Project
    server_url: str

    def write(self, name: str, text: str) -> None:
        """Write a file of the tests."""
        (self.project.root / name).write_text(text)

    def test(self, *arguments: str, **variables: str) -> PytestRun:
        """Run the tests of the application."""
        result = run_process(
            self._compose(arguments),
            cwd=self.project.root,
            environment=self._environment(variables),
            timeout=LIMIT_S,
        )
        return PytestRun(result.stdout + result.stderr, result.returncode)

    def start(self, *arguments: str) -> Running:
        """Start the tests of the application, and return the process."""
        return start_process(self._compose(arguments), cwd=self.project.root, environment=self._environment({}))

    def _compose(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]

    def _environment(self, variables: dict[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.project.root),
            "LC_ALL": "C.UTF-8",
            # A new interpreter, not a fork of one that has imported pytest; it imports what this run does.
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "MIGRATIONS_DIR": str(self.project.migrations),
            "SEEDS_DIR": str(self.project.seeds),
            "SCRATCH_DATABASE_URL": self.server_url,
        } | variables


def make_application(root: Path, server_url: str) -> AppUnderTest:
    """Make an application without migrations and tests."""
    application = AppUnderTest(make_project(root, ""), server_url)
    application.write("conftest.py", _CONFTEST)
    application.write("pytest.ini", _INI)
    return application
