"""How alike two names are, by their words: `user_name`, `userName` and `UserNames` have the same ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from tasks.rehearsal.sql_diff.names import last_part

ALIKE = 0.5
"""From here on two names are alike: at least half of their weighted words are the same."""
VERY_ALIKE = 0.7
"""From here on two names are variants of one: one has all words of the other, or a slip of a letter."""

_WORDS = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+|[A-Z]+(?![a-z])|\d+")
_AFFIXES = frozenset(
    ("id", "uid", "uuid", "fk", "pk", "key", "at", "by", "of", "on", "is", "has", "was", "no", "nr", "new", "old", "tmp", "ref")
)
"""Words that many names end or begin with: alone they do not show what a column is for."""
_COMMON = frozenset(("name", "date", "time", "type", "number", "code", "count", "value", "text", "url", "flag", "data"))
"""Words that are a name of their own, and part of many others."""
_SYNONYMS = (
    "name title label caption", "text content body message", "state status", "type kind category sort variety",
    "image picture photo", "user owner author creator", "mail email", "phone mobile tel", "url uri link href",
    "price cost amount", "count number quantity", "begin start", "end finish stop", "date time datetime timestamp ts",
    "updated modified changed", "created inserted added", "description comment note remark", "active enabled",
    "customer client", "company organization organisation org",
)  # fmt: skip
_MEANINGS = {word: group for group, words in enumerate(_SYNONYMS) for word in words.split()}
"""The groups of words that name the same thing."""
_AFFIX_WEIGHT, _COMMON_WEIGHT, _WEIGHT = 0.3, 0.5, 1.0
_ABBREVIATED = 0.8
"""How alike a word and its abbreviation are."""
_SYNONYMOUS = 0.8
"""How alike two words of one meaning are."""
_SHORTEST = 3
"""The letters that an abbreviation, or a word with a slip, has at least."""
_OFTEN = 2
"""The kept names from which on a word distinguishes nothing in a table."""


def find_frequent_words(names: Iterable[str]) -> frozenset[str]:
    """Return the words that several names of a table have, such as a prefix: they do not distinguish its columns."""
    counted = Counter(word for name in names for word in set(_split(name)))
    return frozenset(word for word, number in counted.items() if number >= _OFTEN)


@lru_cache(maxsize=65536)
def measure_likeness(old: str, new: str, frequent: frozenset[str] = frozenset()) -> float:
    """Return from 0 to 1 how alike two names in SQL are; a schema and quotes do not count."""
    words, others = _split(old), _split(new)
    if not words or not others:
        return 0.0
    if "".join(words) == "".join(others):
        return 1.0
    weights = {word: _weigh(word, frequent) for word in (*words, *others)}
    total = sum(weights[word] for word in (*words, *others))
    same = _match(words, others, weights)
    return max(2 * same / total, _contain(words, others, frequent), _compare_spelling("".join(words), "".join(others)))


@lru_cache(maxsize=4096)
def _split(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case and in the singular."""
    bare = name[1:-1] if name.startswith("'") else last_part(name).strip('"')
    return tuple(_reduce(word.lower()) for word in _WORDS.findall(bare))


def _reduce(word: str) -> str:
    if len(word) > _SHORTEST and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > _SHORTEST and word.endswith(("ses", "xes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > _SHORTEST and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _weigh(word: str, frequent: Collection[str]) -> float:
    if word in _AFFIXES or word in frequent or word.isdigit():
        return _AFFIX_WEIGHT
    return _COMMON_WEIGHT if word in _COMMON else _WEIGHT


def _match(words: tuple[str, ...], others: tuple[str, ...], weights: Mapping[str, float]) -> float:
    """Return the weight of the words that both names have, each used once."""
    left, same = list(others), 0.0
    for word in sorted(words, key=lambda each: each not in others):
        alike, other = max(((_compare_words(word, each), each) for each in left), default=(0.0, ""))
        if alike:
            left.remove(other)
            same += alike * (weights[word] + weights[other]) / 2
    return same


@lru_cache(maxsize=65536)
def _compare_words(word: str, other: str) -> float:
    if word == other:
        return 1.0
    if word in _MEANINGS and _MEANINGS.get(word) == _MEANINGS.get(other):
        return _SYNONYMOUS
    short, long = sorted((word, other), key=len)
    return _ABBREVIATED if _abbreviates(short, long) else _compare_spelling(short, long)


def _abbreviates(short: str, long: str) -> bool:
    """Return True for a beginning (`desc`), or consonants from the first letter on (`qty` for quantity)."""
    if len(short) < _SHORTEST or len(short) == len(long) or short[0] != long[0]:
        return False
    letters = iter(long)
    skips = all(letter in letters for letter in short) and not set(short[1:]) & set("aeiou")
    return long.startswith(short) or skips


def _contain(words: tuple[str, ...], others: tuple[str, ...], frequent: Collection[str]) -> float:
    """Return VERY_ALIKE if one name has all words of the other, of which one distinguishes it."""
    small, large = sorted((set(words), set(others)), key=len)
    telling = {word for word in small if word not in _AFFIXES and word not in frequent}
    joined = len(small) == len(large) == 1 and _is_part(*sorted((*small, *large), key=len))
    return VERY_ALIKE if telling and (joined or small <= large) else 0.0


def _is_part(short: str, long: str) -> bool:
    """Return True for a word of a name that is written as one, such as `username`."""
    return len(short) > _SHORTEST and (long.startswith(short) or long.endswith(short))


def _compare_spelling(one: str, other: str) -> float:
    """Return how alike two words are that differ by a slip: at most one letter in four, counting exchanged ones as one."""
    longest = max(len(one), len(other))
    if min(len(one), len(other)) <= _SHORTEST or abs(len(one) - len(other)) * 4 > longest:
        return 0.0
    # Each edit changes one letter of a word, or exchanges two: most pairs of words are decided by their letters.
    letters, others = Counter(one), Counter(other)
    if 4 * max((letters - others).total(), (others - letters).total()) > longest:
        return 0.0
    distance = _count_edits(one, other)
    return 1 - distance / longest if distance * 4 <= longest else 0.0


def _count_edits(one: str, other: str) -> int:
    """Return the insertions, removals, replacements and exchanges of neighbours that make one word of another."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        previous, row, older = row, [i], before
        for j, target in enumerate(other, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (letter != target))
            if older and i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == target:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = previous
    return row[-1]
