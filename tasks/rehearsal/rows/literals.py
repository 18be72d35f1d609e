"""What a condition's text says about the values it wants. Pure."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

_STRING = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.'])\(?(-?\d+(?:\.\d+)?)\)?(?![\w.'])")
_LONGEST = 2000


def read_literals(text: str) -> list[str]:
    """List the values that a condition names, the numbers also with their neighbours, and texts as long as its numbers."""
    strings = [found.replace("''", "'") for found in _STRING.findall(text)]
    # An array is printed as '{a,b}'::text[] in some places: its elements are values too.
    strings += [part.strip('"') for found in strings if found.startswith("{") for part in found.strip("{}").split(",")]
    numbers: list[str] = []
    for found in [*_NUMBER.findall(_STRING.sub(" ", text)), *strings]:
        numbers += _write_neighbours(found)
    sizes = sorted({int(number) for number in numbers if number.isdigit() and 0 < int(number) <= _LONGEST})
    return list(dict.fromkeys([*strings, *numbers, *("a" * size for size in sizes), *("1" * size for size in sizes)]))


def _write_neighbours(text: str) -> list[str]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return []
    return [text, str(number + 1), str(number - 1)] if number.is_finite() else []
