"""`inv` at a terminal, with somebody who answers its questions."""

import errno
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.fly.operating import Far
from tests.kit.forkserver import Running, start_process
from tests.kit.projects import REPOSITORY

_DEADLINE_S = 60


@dataclass
class Dialogue:
    """A command at a terminal of its own, and what it printed so far."""

    process: Running
    handle: int
    printed: bytes = b""

    @property
    def output(self) -> str:
        """Return what was printed so far."""
        return self.printed.decode(errors="replace").replace("\r\n", "\n")

    def await_words(self, words: str) -> None:
        """Read on until these words were printed."""
        while words not in self.output:
            assert self._read(), f"ended without {words!r}:\n{self.output}"

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self.handle, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends SIGINT to all that run in its foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            continue
        return self.process.wait(_DEADLINE_S)

    def _read(self) -> bool:
        """Read a piece; False at the end, which Linux reports as EIO."""
        deadline = time.monotonic() + _DEADLINE_S
        while not select.select([self.handle], [], [], 1)[0]:
            assert time.monotonic() < deadline, f"nothing came for too long after:\n{self.output}"
        try:
            piece = os.read(self.handle, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.printed += piece
        return bool(piece)


@contextmanager
def open_dialogue(far: Far, *arguments: str, **env: str) -> Iterator[Dialogue]:
    """Start `inv` at a terminal, and kill it at the end if it still runs."""
    project = far.operator.project
    known = {
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "MIGRATIONS_DIR": str(project.migrations),
        "SEEDS_DIR": str(project.seeds),
    }
    own, theirs = pty.openpty()
    process = start_process(
        [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), *arguments],
        cwd=project.root,
        environment=known | far.env | env,
        streams=(theirs, theirs, theirs),
        new_session=True,
    )
    os.close(theirs)
    try:
        yield Dialogue(process, own)
    finally:
        process.kill()
        process.wait()
        os.close(own)
