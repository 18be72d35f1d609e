"""The known word that is nearest to a misspelt one: the one place for all commands, flags, names and directives."""

from __future__ import annotations

from collections.abc import Iterable

_LEAST_SIMILARITY = 0.6
_SHORTEST_BEGINNING = 3
_BONUS = 0.3
"""What a common beginning adds, so that `production` is similar to `prod`."""


def nearest(word: str, words: Iterable[str], *, least: float = _LEAST_SIMILARITY) -> str:
    """Return the most similar of the known words, the first one of equals; empty if none is similar enough.

    `least` is the lowest similarity, from 0 (any word) to 1. Upper and lower case are equal.
    """
    ratings = [(_rate(word.lower(), known.lower()), known) for known in words]
    best = max(ratings, key=lambda rating: rating[0], default=(0.0, ""))
    return best[1] if best[0] >= least else ""


def propose(word: str, words: Iterable[str]) -> str:
    """Return the question whether the nearest of the known words is meant; empty if none is similar enough."""
    found = nearest(word, words)
    return f"Did you mean {found}?" if found else ""


def _rate(word: str, known: str) -> float:
    from difflib import SequenceMatcher

    shorter = min(word, known, key=len)
    begins = len(shorter) >= _SHORTEST_BEGINNING and word.startswith(shorter) and known.startswith(shorter)
    return SequenceMatcher(None, word, known, autojunk=False).ratio() + (_BONUS if begins else 0)
