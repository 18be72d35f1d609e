"""Run a program of Python by its path in a process that never runs longer than this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LAUNCHER = Path(__file__).with_name("child_launcher.py")


@contextmanager
def start_child(program: Path, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a program in its own process group, so that Ctrl-C reaches only this process; the group is ended in any case.

    It ends itself if this process does not live to do so: then a pipe, to which nothing is written, is at its end. The `options`
    are those of Popen.
    """
    reader, writer = os.pipe()
    try:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [sys.executable, str(_LAUNCHER), str(reader), str(program), *arguments],
            start_new_session=True,
            pass_fds=(reader,),
            **options,
        )
    except OSError:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    try:
        yield process
    finally:
        os.close(writer)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()
