"""The names in SQL text, and other small readings of definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from tasks.catalog import Key
from tasks.postgres.tokens import NAME, NAMES, STRINGS, read_string, tokenize

CHAIN = rf"{NAME}(?:\.{NAME})*"
_CACHED = 50_000
"""Texts whose names are remembered: most definitions of a schema are read many times, unchanged."""
_BODY = re.compile(r"\nAS [$']")
_MULTIRANGE = re.compile(rf"MULTIRANGE_TYPE_NAME = ({CHAIN})")


def list_names(text: str) -> set[str]:
    """Return the names in a text: of `public.t.id` each part, and each beginning of more than one part.

    In a string, only names of several parts count: the default of a column names its sequence so.
    """
    return set(_list_names(text))


@lru_cache(_CACHED)
def _list_names(text: str) -> frozenset[str]:
    return frozenset(_find_names(text, in_string=False))


def cut_body(definition: str) -> str:
    """Return the definition of a routine without a body that is a string, which the server does not check for dependencies."""
    return _BODY.split(definition, maxsplit=1)[0]


def split_list(text: str) -> list[str]:
    """Return the items of a list, split at the commas outside of quotes and parentheses."""
    items, depth, start = [], 0, 0
    for token in tokenize(text):
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            items.append(text[start : token.start].strip())
            start = token.end
    return [*items, text[start:].strip()] if text.strip() else []


def strip_arguments(name: str) -> str:
    """Return the name of a routine without its arguments."""
    match = re.match(CHAIN, name)
    return match[0] if match else name


def last_part(name: str) -> str:
    """Return a name without its schema; a label, which is a string, as it is."""
    return next((token.text for token in reversed(list(tokenize(name))) if token.kind in NAMES), name)


def _find_names(text: str, *, in_string: bool) -> Iterator[str]:
    for token in tokenize(text):
        if token.kind in STRINGS:
            yield from _find_names(read_string(token), in_string=True)
    for chain in _find_chains(text):
        if in_string and len(chain) == 1:
            continue
        yield from chain
        yield from (".".join(chain[:count]) for count in range(2, len(chain) + 1))


def _find_chains(text: str) -> Iterator[list[str]]:
    """Yield the names in a text, each as its parts: names with a dot and nothing else between them."""
    chain: list[str] = []
    dot = False
    for token in tokenize(text):
        if token.kind in NAMES:
            if chain and not dot:
                yield chain
                chain = []
            chain.append(token.text)
            dot = False
        elif token.text == "." and chain and not dot:
            dot = True
        elif chain:
            yield chain
            chain = []
            dot = False
    if chain:
        yield chain


def list_type_names(key: Key, definition: str) -> tuple[str, ...]:
    """Return the name of an object, and for a range type that of its multirange type, which is made and dropped with it."""
    match = _MULTIRANGE.search(definition) if key.kind == "type" and definition.startswith("AS RANGE (") else None
    return (key.name, match[1]) if match else (key.name,)
