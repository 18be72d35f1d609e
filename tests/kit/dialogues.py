"""A command in a terminal, and the answers to its questions."""

import errno
import os
import pty
import select
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kit.forkserver import start_process
from tests.kit.waiting import LIMIT_S

QUESTION = "[y/N] "
END_OF_INPUT = "\x04"


def run_dialogue(
    command: Sequence[str],
    answers: Sequence[str | signal.Signals],
    *,
    cwd: Path,
    environment: dict[str, str],
    question: str = QUESTION,
) -> tuple[int, str]:
    """Run a command in a terminal, send one answer (or signal) for each question, and return exit code and output."""
    own, theirs = pty.openpty()
    process = start_process(command, cwd=cwd, environment=environment, streams=(theirs, theirs, theirs), new_session=True)
    os.close(theirs)
    try:
        output = b""
        for count, answer in enumerate(answers, 1):
            while output.decode(errors="replace").count(question) < count:
                piece = _read(own)
                assert piece, f"ended before question {count}: {output.decode()}"
                output += piece
            if isinstance(answer, signal.Signals):
                process.send_signal(answer)
            else:
                os.write(own, answer.encode())
        while piece := _read(own):
            output += piece
        return process.wait(LIMIT_S), output.decode().replace("\r\n", "\n")
    finally:
        process.kill()
        process.wait()
        os.close(own)


def _read(terminal: int) -> bytes:
    """Read the next output; return nothing at the end, which Linux reports as EIO."""
    deadline = time.monotonic() + LIMIT_S
    while not select.select([terminal], [], [], 1)[0]:
        assert time.monotonic() < deadline, "no output until the deadline"
    try:
        return os.read(terminal, 65536)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""
