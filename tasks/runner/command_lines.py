"""The commands that messages offer for pasting: the one place that composes them, and quotes what is inserted.

A name may come from a database or a machine, where others can write. SQL in messages is quoted by tasks/postgres/quoting.py.
"""

from __future__ import annotations

import re
import shlex

_ENVIRONMENT = re.compile(r"\w[\w.-]{0,63}")
_PLACEHOLDER = "…"
"""What a command has in the place of a name that must not be pasted."""


def is_environment_name(name: str) -> bool:
    """Return True if an environment can have this name: letters, digits, `_`, `.` and `-`, of which the last two begin none."""
    return bool(_ENVIRONMENT.fullmatch(name))


def compose_command(task: str, *arguments: str, env: str = "") -> str:
    """Return a command of this project: `inv`, the task, `--env` if an environment is known, and the arguments.

    The name of an environment that cannot exist is left out; `describe_strange_name` explains that.
    """
    if env and not is_environment_name(env):
        return f"inv {quote_words(task)} --env={_PLACEHOLDER}{''.join(f' {quote_words(each)}' for each in arguments)}"
    return f"inv {quote_words(task, *([f'--env={env}'] if env else ()), *arguments)}"


def describe_strange_name(env: str) -> str:
    """Return a sentence about the name of an environment that `compose_command` left out, empty for any other name."""
    if not env or is_environment_name(env):
        return ""
    return f"The database names its environment {show_name(env)}, which no environment can be called."


def show_name(name: str) -> str:
    """Return the name of an environment for a sentence: one that no environment can have as a quoted literal in ASCII."""
    return name if is_environment_name(name) else ascii(name)


def quote_words(*words: str) -> str:
    """Return words as a part of a shell command; unprintable characters are written as escapes of `$'…'`."""
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    octets = (f"\\{octet:03o}" if octet < 0x20 or octet > 0x7E or chr(octet) in "'\\" else chr(octet) for octet in _encode(word))
    return f"$'{''.join(octets)}'"


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogateescape")
