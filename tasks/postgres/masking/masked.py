"""Masking of secrets in SQL: in whole texts, by the lexer, before a text is cut, compared, stored or put into a message.

Masked are the literals of each statement that speaks of passwords, tokens or keys, in its own words or within its literals,
because the code in a DO block, a function or a dynamic statement is a literal. In code between dollar quotes only the literals
are masked, so that it can still be read. Where in such a statement a literal is does not matter: what is passed to
`format('ALTER ROLE r PASSWORD %L', secret)` may be written ten lines above.

Each masked part becomes *** and keeps its line breaks, so that every line keeps its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tasks.postgres.masking.spans import Secret, find_in_prose, find_secrets
from tasks.postgres.secret_words import EXAMPLE_URL, HIDDEN, speaks_of_secrets

LONG = 1024 * 1024
"""The characters above which a text is long: tasks.postgres.masking.long_texts."""
_OTHER_WORDS = ("pass", "role", "user", "group", "subscription", "u&", "\\x", "\\u")
"""Words of statements that may contain a secret although their text, as it is, does not speak of one."""
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_NAME = re.compile(r"[^\W\d][\w$]*")
_SPACE = re.compile(r"\s")
_SHORTEST = 4
"""A shorter value is looked for only with its quotes: its letters occur in other words."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without its secrets."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    """The parts of the original text that are masked, in order."""
    masks: tuple[str, ...] = ()
    """What replaces them."""
    values: tuple[str, ...] = ()
    """What the server may quote of the masked parts in its messages, longest first."""

    def move(self, offset: int) -> int:
        """Return where a character of the original text is now; for a masked one, where its mask begins."""
        moved = offset
        for (start, end), mask in zip(self.spans, self.masks, strict=True):
            if offset < start:
                break
            if offset < end:
                return moved - (offset - start)
            moved += len(mask) - (end - start)
        return moved


@lru_cache(maxsize=8)
def mask(text: str) -> Masked:
    """Return a text of SQL without its secrets, with as many lines as before. The text need not be valid."""
    found = [Secret(start, end, (text[start:end],)) for start, end in find_in_urls(text)] if "://" in text else []
    if _may_have_secrets(text):
        found += find_secrets(text)
    if not found:
        return Masked(text)
    spans = _merge(sorted((secret.start, secret.end) for secret in found))
    masks = tuple(HIDDEN + "".join(_LINE_END.findall(text, start, end)) for start, end in spans)
    masked = _replace(text, spans, masks)
    return Masked(masked, spans, masks, _choose_values({value for secret in found for value in secret.values}, masked))


def mask_secrets(text: str) -> str:
    """Return a text of SQL with *** in place of each secret, with as many lines as before."""
    return mask(text).text


def mask_urls(text: str) -> str:
    """Return a text with *** in place of the secrets in its URLs only."""
    return replace_spans(text, find_in_urls(text)) if "://" in text else text


def has_secrets(text: str) -> bool:
    """Return True if `mask_secrets` would change a text of SQL."""
    return bool(mask(text).spans)


def mask_comment(text: str) -> str:
    """Return a text in a human language with *** in place of each literal in it, if it speaks of secrets."""
    return replace_spans(text, ((secret.start, secret.end) for secret in find_in_prose(text)))


def replace_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with *** in place of each span; they may overlap."""
    merged = _merge(sorted(spans))
    return _replace(text, merged, [HIDDEN] * len(merged))


def find_in_urls(text: str) -> list[tuple[int, int]]:
    """Return the spans from the first colon of a URL to its last @, which also hides a password that is not encoded."""
    spans = []
    position = 0
    while (sign := text.find("://", position)) >= 0:
        start = sign + len("://")
        space = _SPACE.search(text, start)
        position = space.start() if space else len(text)
        colon, at = text.find(":", start, position), text.rfind("@", start, position)
        if 0 <= colon < at - 1 and not text.startswith(EXAMPLE_URL, sign - len("postgresql")):
            spans.append((colon + 1, at))
    return spans


def _may_have_secrets(text: str) -> bool:
    """Return False for a text that has none, apart from those in URLs: most files need not be divided into tokens."""
    lowered = text.lower()
    return any(word in lowered for word in _OTHER_WORDS) or speaks_of_secrets(text)


def _merge(spans: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return sorted spans with those that overlap as one."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _replace(text: str, spans: Sequence[tuple[int, int]], masks: Sequence[str]) -> str:
    pieces: list[str] = []
    last = 0
    for (start, end), hidden in zip(spans, masks, strict=True):
        pieces += text[last:start], hidden
        last = end
    return "".join((*pieces, text[last:]))


def _choose_values(values: set[str], masked: str) -> tuple[str, ...]:
    """Return the values to remove from messages: not short ones, and not names that can be read elsewhere in the text."""
    names = set(_NAME.findall(masked))
    return tuple(sorted((each for each in values - names if len(each) >= _SHORTEST), key=len, reverse=True))
