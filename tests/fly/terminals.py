"""`inv` in a pseudo-terminal, with answers to its questions."""

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

from tests.fly.operating import RemoteOperator
from tests.kit.forkserver import Running, start_process
from tests.kit.projects import REPOSITORY, Project
from tests.kit.waiting import LIMIT_S


@dataclass
class Dialogue:
    """A command in a terminal of its own, and its output so far."""

    process: Running
    handle: int
    printed: bytes = b""

    @property
    def output(self) -> str:
        """Return the output so far."""
        return self.printed.decode(errors="replace").replace("\r\n", "\n")

    def await_words(self, words: str) -> None:
        """Read the output until it contains these words."""
        while words not in self.output:
            assert self._read(), f"ended without {words!r}:\n{self.output}"

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self.handle, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Send SIGINT to all processes in the foreground of the terminal, as Ctrl-C does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            continue
        return self.process.wait(LIMIT_S)

    def _read(self) -> bool:
        """Read some output. Return False at the end, which Linux reports as EIO."""
        deadline = time.monotonic() + LIMIT_S
        while not select.select([self.handle], [], [], 1)[0]:
            assert time.monotonic() < deadline, f"nothing came for too long after:\n{self.output}"
        try:
            data = os.read(self.handle, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.printed += data
        return bool(data)


@contextmanager
def open_dialogue(remote: RemoteOperator, *arguments: str, **env: str) -> Iterator[Dialogue]:
    """Start `inv` in a terminal, and kill it at the end if it is still running."""
    with open_terminal(remote.operator.project, *arguments, **(remote.env | env)) as dialogue:
        yield dialogue


@contextmanager
def open_terminal(project: Project, *arguments: str, **env: str) -> Iterator[Dialogue]:
    """Start `inv` for a project in a terminal, and kill it at the end if it is still running."""
    defaults = {
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "MIGRATIONS_DIR": str(project.migrations),
        "SEEDS_DIR": str(project.seeds),
    }
    controller, terminal = pty.openpty()
    process = start_process(
        [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), *arguments],
        cwd=project.root,
        environment=defaults | env,
        streams=(terminal, terminal, terminal),
        new_session=True,
    )
    os.close(terminal)
    try:
        yield Dialogue(process, controller)
    finally:
        process.kill()
        process.wait()
        os.close(controller)
