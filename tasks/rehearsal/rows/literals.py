"""The values that the text of a condition names."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from tasks.postgres.tokens import NAMES, STRINGS, Token, read_string, tokenize

_LONGEST = 2000


def read_literals(text: str) -> list[str]:
    """Return the values that a condition names, its numbers also with their neighbours, and texts as long as its numbers."""
    tokens = list(tokenize(text))
    strings = [read_string(token) for token in tokens if token.kind in STRINGS]
    # An array is printed as '{a,b}'::text[] in some places: its elements are values too.
    strings += [part.strip('"') for found in strings if found.startswith("{") for part in found.strip("{}").split(",")]
    numbers: list[str] = []
    for found in (*_read_numbers(tokens), *strings):
        numbers += _write_neighbours(found)
    sizes = sorted({int(number) for number in numbers if number.isdigit() and 0 < int(number) <= _LONGEST})
    return list(dict.fromkeys([*strings, *numbers, *("a" * size for size in sizes), *("1" * size for size in sizes)]))


def _read_numbers(tokens: list[Token]) -> Iterator[str]:
    """Yield the numbers, with the minus that is directly before one and is no subtraction."""
    for index, token in enumerate(tokens):
        if token.kind == "number":
            negative = index > 0 and tokens[index - 1].text == "-"
            subtracts = index > 1 and (tokens[index - 2].kind in NAMES or tokens[index - 2].kind == "number")
            yield f"-{token.text}" if negative and not subtracts else token.text


def _write_neighbours(text: str) -> list[str]:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return []
    return [text, str(number + 1), str(number - 1)] if number.is_finite() else []
