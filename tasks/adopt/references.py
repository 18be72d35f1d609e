"""Which objects of a schema a migration may change, and on which it may depend, from the words of its text.

Both err on the side of too many. A text that composes SQL while it runs may change every object.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from tasks.catalog import Key
from tasks.postgres.tokens import WORD, strip_comments

_WORD = re.compile(WORD)
_READS = re.compile(r"\b(?:references|from|join|insert\s+into|update)\s+(?:only\s+)?[\w$.\"]+", re.IGNORECASE)
"""What only reads a table, or changes its rows."""
_DYNAMIC = re.compile(
    r"\bexecute\s+(?!function\b|procedure\b|on\b)|\bon\s+all\s|\bdefault\s+privileges\b|\bowned\s+by\s+(?:current|session)_"
    r"|\bimport\s+foreign\b|\bquery_to_xml\b",
    re.IGNORECASE,
)
"""What may change objects that the text does not name."""
_ALL_PARTS = re.compile(
    r"\b(?:create|drop)\s+(?:unlogged\s+|foreign\s+|materialized\s+|or\s+replace\s+)*(?:table|view|schema|extension)\b"
    r"|\brename\b|\bcascade\b|\bset\s+schema\b|\bowned\b|\binherit\b|\battach\b|\bdetach\b|\bcreate\s+table\b",
    re.IGNORECASE,
)
"""What changes all parts of a table at once."""
_SPREADS = re.compile(r"\b(?:rename|cascade|drop|alter|set\s+schema)\b", re.IGNORECASE)
"""What may change the definitions of objects that refer to its object."""
_NAMED_PARTS = frozenset({"column"})


class References:
    """What one migration may change, and on what it may depend."""

    def __init__(self, text: str) -> None:
        bare = strip_comments(text)
        self._words = _split(bare)
        self._targets = _split(_READS.sub(" ", bare))
        self._dynamic = bool(_DYNAMIC.search(bare))
        self._all_parts = bool(_ALL_PARTS.search(bare))
        self._spreads = bool(_SPREADS.search(bare))
        self._observed: set[Key] = set()
        self._touches: dict[tuple[Key, frozenset[str]], bool] = {}
        self._depends: dict[tuple[Key, str, int], bool] = {}

    def record(self, key: Key) -> bool:
        """Record that it was observed to change an object; return False if that was known."""
        if key in self._observed:
            return False
        self._observed.add(key)
        return True

    def touches(self, key: Key, mentioned: frozenset[str] = frozenset()) -> bool:
        """Return True if it may create, change or drop an object whose definitions contain the words `mentioned`."""
        if self._dynamic or key in self._observed:
            return True
        query = key, mentioned
        if query not in self._touches:
            self._touches[query] = self._may_touch(key, mentioned)
        return self._touches[query]

    def depends_on(self, key: Key, definition: str, names: frozenset[str]) -> bool:
        """Return True if its effect may depend on an object with a definition; the `names` of all objects only grow."""
        if self._dynamic or key in self._observed:
            return True
        query = key, definition, len(names)
        if query not in self._depends:
            mentioned = self._words & names & _mention(definition)
            self._depends[query] = bool(mentioned) or not self._words.isdisjoint(_name(key))
        return self._depends[query]

    def _may_touch(self, key: Key, mentioned: frozenset[str]) -> bool:
        if key.kind in _NAMED_PARTS:
            owner, part = _last(key.parent), _last(key.name)
            direct = owner in self._targets and (self._all_parts or part in self._targets)
        else:
            direct = not self._targets.isdisjoint(_name(key))
        return direct or ((self._spreads or self._all_parts) and not self._targets.isdisjoint(mentioned))


def list_names(keys: Iterable[Key]) -> frozenset[str]:
    """Return the words by which SQL refers to objects; for a column, those of its table."""
    return frozenset().union(*(_name(key) for key in keys))


def list_mentions(definitions: Mapping[Key, set[str]], names: frozenset[str]) -> dict[Key, frozenset[str]]:
    """Return for each object the names in all definitions that it was observed with."""
    return {key: frozenset().union(*(_mention(text) for text in texts)) & names for key, texts in definitions.items()}


@cache
def _mention(definition: str) -> frozenset[str]:
    return _split(definition) - _COMMON


def _split(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


@cache
def _name(key: Key) -> frozenset[str]:
    """Return the words by which SQL refers to an object: its name and that of its table, without the schema if it is public."""
    if key.kind in _NAMED_PARTS:
        return frozenset({_last(key.parent)})
    words = _split(f"{key.name.partition('(')[0]} {key.parent}")
    return (words - _COMMON) or words


def _last(name: str) -> str:
    words = _WORD.findall(name)
    return words[-1].lower() if words else name


_COMMON = _split(
    """public table create index on using btree primary key unique check not null default as select from where and or integer
    text foreign references constraint function returns language sql plpgsql for each row execute trigger before after update
    insert delete enum int bigint boolean uuid timestamp with without time zone varchar character varying now true false"""
)
"""Words of nearly every definition, which do not refer to an object."""
