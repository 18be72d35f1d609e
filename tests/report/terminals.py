"""A real pseudo-terminal to run a program in, and what a person would see on it."""

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kit.forkserver import inherit_environment, start_process

ROOT = Path(__file__).parents[2]
_DEADLINE_S = 30
_PIECES = re.compile(r"\x1b\[(?P<number>[0-9;?]*)(?P<command>[A-Za-z])|(?P<text>[^\x1b\r\n]+|[\r\n])")


class Terminal:
    """Run the speaker in a terminal of its own, which does not echo what is typed."""

    def __init__(self, *arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> None:
        self._own, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        inherited = inherit_environment(TERM="xterm-256color")
        kept = {name: value for name, value in inherited.items() if name not in {"COLUMNS", "LINES", "NO_COLOR", "CI"}}
        self._process = start_process(
            [sys.executable, "-m", "tests.report.speaker", *arguments],
            cwd=ROOT,
            environment=kept | (environment or {}),
            streams=(theirs, theirs, theirs),
            new_session=True,
        )
        os.close(theirs)
        self._bytes = b""

    @property
    def output(self) -> str:
        """Give all that came out until now, escape sequences and all."""
        return self._bytes.decode(errors="replace")

    def read_until(self, pattern: str, *, times: int = 1) -> str:
        """Read on until something that matches a pattern was printed in so many different forms, and give all output."""
        deadline = time.monotonic() + _DEADLINE_S
        while len(set(re.findall(pattern, self.output))) < times:
            assert time.monotonic() < deadline, f"waited in vain for {pattern!r} in {self.output!r}"
            assert self._read(), f"ended without {pattern!r}: {self.output!r}"
        return self.output

    def type_line(self) -> None:
        """Press Enter."""
        os.write(self._own, b"\n")

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Read to the end and give the exit code."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._read():
            assert time.monotonic() < deadline, f"did not end: {self.output!r}"
        return self._process.wait(_DEADLINE_S)

    def close(self) -> None:
        """End the program, if it still runs, and give the terminal back."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._own)

    def _read(self) -> bool:
        """Read what is there within a while; False at the end (Linux says EIO when nobody holds the other side)."""
        if not select.select([self._own], [], [], 1)[0]:
            return True
        try:
            data = os.read(self._own, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self._bytes += data
        return bool(data)


@contextlib.contextmanager
def open_terminal(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    """Run the speaker in a terminal, and make sure that it ends."""
    terminal = Terminal(*arguments, columns=columns, environment=environment)
    try:
        yield terminal
    finally:
        terminal.close()


def show_screen(output: str) -> list[str]:
    """Give the lines that a person sees after an output: as much of a terminal as a report needs."""
    lines, row = [""], 0
    for piece in _PIECES.finditer(output):
        text, command = piece["text"], piece["command"]
        if text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text and text != "\r":
            lines[row] += text
        elif command == "A":
            row -= int(piece["number"] or 1)
        elif command == "K":
            lines[row] = ""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")
