"""Choose the tables of a diagram by the patterns of --only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase

from tasks.diagram.model import shorten
from tasks.postgres.tokens import NAMES, tokenize
from tasks.runner.errors import UsageError
from tasks.runner.spelling import nearest


def choose_tables(patterns: Iterable[str], names: Collection[str], roots: Mapping[str, str]) -> frozenset[str]:
    """Return the tables that match a pattern: a name with or without its schema, in which `*` and `?` stand for other characters.

    `roots` are the partitions, for each of which the partitioned table is chosen. Raises UsageError for a pattern that matches
    none of them.
    """
    known = {name: _read_name(name) for name in (*names, *roots)}
    chosen: set[str] = set()
    for pattern in patterns:
        found = _match(_unquote(pattern), known) or _match(_unquote(pattern).lower(), known)
        if not found:
            raise _describe_unknown(pattern, names)
        chosen |= {roots.get(name, name) for name in found}
    return frozenset(chosen)


def split_patterns(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns of several flags, each of which can be a list with commas; not those within quotes."""
    patterns: list[str] = []
    for text in texts:
        parts = text.split('"')
        within = '"'.join(part if index % 2 else part.replace(",", "\0") for index, part in enumerate(parts))
        patterns += [pattern.strip() for pattern in within.split("\0") if pattern.strip()]
    return tuple(dict.fromkeys(patterns))


def _match(pattern: str, known: Mapping[str, tuple[str, str]]) -> set[str]:
    return {name for name, (whole, last) in known.items() if fnmatchcase(whole, pattern) or fnmatchcase(last, pattern)}


def _read_name(name: str) -> tuple[str, str]:
    """Return a name in SQL without quotes: with its schema, and without."""
    parts = [_unquote(token.text) for token in tokenize(name) if token.kind in NAMES]
    return ".".join(parts), parts[-1]


def _unquote(text: str) -> str:
    """Return a name without the quotes around it or around its parts."""
    return text.replace('""', "\0").replace('"', "").replace("\0", '"') if '"' in text else text


def _describe_unknown(pattern: str, names: Collection[str]) -> UsageError:
    if not names:
        hint = "The schema has no tables."
    else:
        found = nearest(pattern, sorted({*names, *map(shorten, names)}), least=0)
        hint = f"Did you mean {found}? In a pattern, * matches any characters: --only 'user*,billing.*'."
    return UsageError(f"no table matches --only {pattern}", hint=hint, state="Nothing was written.")
