"""The lines of a TOML file on which its names are: tomllib does not report them."""

from __future__ import annotations

import re
from collections.abc import Callable

_STRING = re.compile(r"""("(?:[^"\\]|\\.)*"|'[^']*')""")


def find_line(data: bytes, matches: Callable[[str], bool]) -> int:
    """Return the first line with a string that matches, however it is quoted and escaped; 0 if there is none."""
    import tomllib

    for number, line in enumerate(data.decode().splitlines(), 1):
        for token in _STRING.findall(line):
            try:
                text = tomllib.loads(f"text = {token}")["text"]
            except tomllib.TOMLDecodeError:
                continue
            if matches(text):
                return number
    return 0
