"""The program that runs each SSH command of a machine: without a shell, and with the environment of the machine.

It is a script: `hallpass.py MACHINE_FOLDER`, with the command in SSH_ORIGINAL_COMMAND, where OpenSSH's ForceCommand puts it.
It imports few modules, since it starts once for each command.
"""

import os
import signal
import sys

_FORWARDED = ("FLY_SSH_CONTAINER", "FLY_SSH_MACHINE", "TERM")
_SPACE = " \t\r\n"


def main(folder: str, command: str) -> None:
    """Replace this process by the command, whose words are split as in a shell; nothing is expanded."""
    if os.isatty(0):
        _take_terminal()
    environment = read_environment(f"{folder}/environment")
    environment |= {name: os.environ[name] for name in _FORWARDED if name in os.environ}
    with open(f"{folder}/commands", "a") as file:  # noqa: PTH123 - importing pathlib takes longer than the rest
        file.write(f"{command}\0")
    try:
        # Fly's server is reported to replace a newline within quotes.
        words = split_words(command.replace("\n", " ")) or ["/bin/sh"]
    except ValueError as error:
        sys.exit(f"invalid command line: {error}")
    os.chdir(f"{folder}/cwd")
    # Python ignores SIGPIPE, and a program inherits that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # execvpe searches the PATH of this environment.
    try:
        os.execvpe(words[0], words, environment)
    except FileNotFoundError:
        sys.exit(f'exec: "{words[0]}": executable file not found in $PATH')
    except PermissionError:
        sys.exit(f'exec: "{words[0]}": permission denied')


def read_environment(path: str) -> dict[str, str]:
    """Read entries NAME=VALUE, each ended by a NUL, as in /proc/PID/environ."""
    with open(path) as file:  # noqa: PTH123
        return dict(entry.split("=", 1) for entry in file.read().split("\0") if entry)


def split_words(command: str) -> list[str]:
    """Split a command as `shlex.split` does, which is slow to import; raises ValueError if a quote is not closed."""
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(command)
    for character in characters:
        if character == "\\" and quote != "'":
            escaped = next(characters, None)
            if escaped is None:
                raise ValueError("No escaped character")
            kept = "\\" if quote and escaped not in (quote, "\\") else ""
            word = (word or "") + kept + escaped
        elif character == quote:
            quote = ""
        elif quote:
            word = (word or "") + character
        elif character in "'\"":
            word, quote = word or "", character
        elif character not in _SPACE:
            word = (word or "") + character
        elif word is not None:
            words.append(word)
            word = None
    if quote:
        raise ValueError("No closing quotation")
    return words if word is None else [*words, word]


def _take_terminal() -> None:
    """Make the terminal on stdin the controlling terminal, unless the SSH server has done that."""
    import fcntl
    import termios

    try:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1], os.environ.get("SSH_ORIGINAL_COMMAND", ""))
