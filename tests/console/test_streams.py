"""Tests of the guarded standard streams."""

import os
import subprocess
import sys

import pytest

from tests.kit.projects import REPOSITORY

PROGRAM = """
import os, sys
from tasks.console.streams import guard_streams
guard_streams()
print("warning", file=sys.stderr)
os.write(1, b"changed\\n")
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_on_stderr_is_written_before_what_follows(unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout.decode().splitlines() == ["warning", "changed"]
