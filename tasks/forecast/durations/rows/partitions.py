"""Values of partition keys that lead to certain partitions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from tasks.postgres.tokens import NAMES, STRINGS, Token, read_string, tokenize

_TREE = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), coalesce(t.parentrelid, 0)::int8, t.relid::int8, t.isleaf,
       coalesce(pg_get_expr(c.relpartbound, c.oid), ''), coalesce(p.partstrat::text, ''),
       ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(p.partattrs::int2[]) WITH ORDINALITY AS k(number, place)
               LEFT JOIN pg_attribute a ON a.attrelid = t.parentrelid AND a.attnum = k.number ORDER BY k.place)
  FROM pg_partition_tree(%s::oid::regclass) t JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_partitioned_table p ON p.partrelid = t.parentrelid
"""
_RANGE = re.compile(r"FOR VALUES FROM \((?P<low>.*)\) TO \((?P<high>.*)\)$", re.DOTALL)
_LIST = re.compile(r"FOR VALUES IN \((?P<values>.*)\)$", re.DOTALL)
_OPEN = ("MINVALUE", "MAXVALUE")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A partition without partitions, and the bounds of its key columns: the lower one, and the upper one or None.

    Both are inside the partition where they are equal; the upper one is outside of a range.
    """

    name: str
    bounds: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    reachable: bool = True
    """Whether the bounds lead to it: False for a default partition, or where a key is an expression."""


def read_leaves(connection: psycopg.Connection, root: int) -> list[Leaf]:
    """Return the partitions of a partitioned table that have no partitions themselves, at all levels."""
    rows = {row[2]: row for row in connection.execute(_TREE, [root])}
    return [_build_leaf(rows, oid) for oid, row in rows.items() if row[3]]


def choose_leaves(leaves: Sequence[Leaf], wanted: Collection[str]) -> list[Leaf]:
    """Return those of the partitions that are wanted and can be reached; all that can be reached if none is wanted."""
    reachable = [leaf for leaf in leaves if leaf.reachable]
    return [leaf for leaf in reachable if leaf.name in wanted] or reachable


def _build_leaf(rows: Mapping[int, tuple[str, int, int, bool, str, str, list[str]]], oid: int) -> Leaf:
    bounds: dict[str, tuple[str, str | None]] = {}
    reachable, name = True, rows[oid][0]
    while oid in rows and rows[oid][1]:
        _, parent, _, _, bound, strategy, keys = rows[oid]
        found = _read_bound(bound, strategy, keys)
        reachable = reachable and found is not None
        # The bounds of a level below are within those of a level above.
        bounds = {**(found or {}), **bounds}
        oid = parent
    return Leaf(name, bounds, reachable)


def _read_bound(bound: str, strategy: str, keys: Sequence[str]) -> dict[str, tuple[str, str | None]] | None:
    """Return the bounds of the key columns of a partition; None if no value can be computed that leads to it."""
    if strategy == "h":
        return {}
    if not all(keys):
        return None
    if (listed := _LIST.match(bound)) and (values := [each for each in _split(listed["values"]) if each is not None]):
        return {keys[0]: (values[0], values[0])}
    if not (between := _RANGE.match(bound)):
        return None
    lows, highs = list(_split(between["low"])), list(_split(between["high"]))
    if len(lows) == 1 and lows[0] is not None:
        return {keys[0]: (lows[0], highs[0])}
    if any(each is None for each in lows):
        return None
    return {key: (low, low) for key, low in zip(keys, lows, strict=False) if low is not None}


def _split(text: str) -> Iterator[str | None]:
    """Yield the values of a list; None for NULL and for an open end."""
    sign = ""
    for token in tokenize(text):
        if token.kind in STRINGS:
            yield read_string(token)
        elif token.kind == "number":
            yield sign + token.text
        elif token.kind in NAMES:
            yield _read_word(token)
        sign = "-" if token.text == "-" else ""


def _read_word(token: Token) -> str | None:
    word = token.text.upper()
    return None if word in _OPEN or word == "NULL" else token.text
