"""The program that runs each SSH command of a machine: there is no shell, and the environment is the machine's own.

Runs as a script: `hallpass.py MACHINE_FOLDER`, with the command in SSH_ORIGINAL_COMMAND, as OpenSSH's ForceCommand hands it over.
"""

import fcntl
import json
import os
import shlex
import signal
import sys
import termios
from pathlib import Path

_FORWARDED = ("FLY_SSH_CONTAINER", "FLY_SSH_MACHINE", "TERM")


def main(folder: Path, command: str) -> None:
    """Become the command: its words are split as a shell would, and nothing else that a shell does is done."""
    if os.isatty(0):
        _take_terminal()
    environment = json.loads((folder / "environment.json").read_text())
    environment |= {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    with (folder / "commands.jsonl").open("a") as file:
        file.write(json.dumps(command) + "\n")
    try:
        # A newline within quotes was reported to arrive as something else.
        words = shlex.split(command.replace("\n", " ")) or ["/bin/sh"]
    except ValueError as error:
        sys.exit(f"invalid command line: {error}")
    os.chdir((folder / "cwd").resolve())
    # Python ignores it, and a program that is told to ignore it at its start goes on doing so.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # execvpe searches the PATH of the environment that it is given.
    try:
        os.execvpe(words[0], words, environment)
    except FileNotFoundError:
        sys.exit(f'exec: "{words[0]}": executable file not found in $PATH')
    except PermissionError:
        sys.exit(f'exec: "{words[0]}": permission denied')


def _take_terminal() -> None:
    """Make the terminal on stdin our own, unless the SSH server has seen to that."""
    try:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    except OSError:
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]), os.environ.get("SSH_ORIGINAL_COMMAND", ""))
