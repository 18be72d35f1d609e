"""A pseudo-terminal to run a program in, and the screen that a user sees."""

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
from tests.kit.waiting import LIMIT_S

ROOT = Path(__file__).parents[2]
_TOKENS = re.compile(r"\x1b\[(?P<number>[0-9;?]*)(?P<command>[A-Za-z])|(?P<text>[^\x1b\r\n]+|[\r\n])")


class Terminal:
    """The sample program in a terminal of its own, which does not echo input."""

    def __init__(self, *arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> None:
        self._controller, terminal = pty.openpty()
        modes = termios.tcgetattr(terminal)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        inherited = inherit_environment(TERM="xterm-256color")
        variables = {name: value for name, value in inherited.items() if name not in {"COLUMNS", "LINES", "NO_COLOR", "CI"}}
        self._process = start_process(
            [sys.executable, "-m", "tests.report.sample_program", *arguments],
            cwd=ROOT,
            environment=variables | (environment or {}),
            streams=(terminal, terminal, terminal),
            new_session=True,
        )
        os.close(terminal)
        self._bytes = b""

    @property
    def output(self) -> str:
        """Return the output so far, with its escape sequences."""
        return self._bytes.decode(errors="replace")

    def read_until(self, pattern: str, *, times: int = 1) -> str:
        """Read the output until it has so many different matches of a pattern, and return all of it."""
        deadline = time.monotonic() + LIMIT_S
        while len(set(re.findall(pattern, self.output))) < times:
            assert time.monotonic() < deadline, f"waited in vain for {pattern!r} in {self.output!r}"
            assert self._read(), f"ended without {pattern!r}: {self.output!r}"
        return self.output

    def read_screen(self, pattern: str) -> list[str]:
        """Read until a line of the screen matches a pattern, and return its lines: what was read can end within a redrawing."""
        deadline = time.monotonic() + LIMIT_S
        while not re.search(pattern, "\n".join(screen := show_screen(self.output))):
            assert time.monotonic() < deadline, f"waited in vain for {pattern!r} on {screen}"
            assert self._read(), f"ended without {pattern!r}: {screen}"
        return screen

    def type_line(self) -> None:
        """Press Enter."""
        os.write(self._controller, b"\n")

    def interrupt(self) -> None:
        """Send SIGINT, as Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + LIMIT_S
        while self._read():
            assert time.monotonic() < deadline, f"did not end: {self.output!r}"
        return self._process.wait(LIMIT_S)

    def close(self) -> None:
        """Kill the program if it is still running, and close the terminal."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._controller)

    def _read(self) -> bool:
        """Read the available output. Return False at the end, which Linux reports as EIO."""
        if not select.select([self._controller], [], [], 1)[0]:
            return True
        try:
            data = os.read(self._controller, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self._bytes += data
        return bool(data)


@contextlib.contextmanager
def open_terminal(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    """Yield a terminal that runs the sample program, and close it at the end."""
    terminal = Terminal(*arguments, columns=columns, environment=environment)
    try:
        yield terminal
    finally:
        terminal.close()


def show_screen(output: str) -> list[str]:
    """Return the lines that a user sees after an output, with the few escape sequences that a report uses."""
    lines, row = [""], 0
    for token in _TOKENS.finditer(output):
        text, command = token["text"], token["command"]
        if text == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text and text != "\r":
            lines[row] += text
        elif command == "A":
            row -= int(token["number"] or 1)
        elif command == "K":
            lines[row] = ""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")
