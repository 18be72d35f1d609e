"""Where a text of SQL contains secrets, by the lexer; see masked.py for the rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING

from tasks.postgres.masking.pieces import Code, divide, join, list_values, move, read_value
from tasks.postgres.secret_words import speaks_of_secrets
from tasks.postgres.tokens import NAMES, SPACE, STRINGS, tokenize

if TYPE_CHECKING:
    from tasks.postgres.masking.pieces import Piece
    from tasks.postgres.tokens import Token

_ROLE = re.compile(r"\b(?:create|alter)\s+(?:role|user|group)\b(?!\s+mapping)", re.IGNORECASE)
_COMMENTED = re.compile(
    r"(?<!\w)(?:[eE]|[uU]&)?'(?:[^']|'')*+(?:'|\Z)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)"
    r"|\b(?i:passw(?:or)?d|passphrase|pwd)\s*[:=]\s*(?P<value>[^\s'*]\S*)",
    re.DOTALL,
)
"""What is masked in a comment that speaks of secrets: a statement that was commented out, and an assignment."""
_ROLE_LITERAL = re.compile(rf"{_ROLE.pattern}[^;]*'", re.IGNORECASE)
"""A statement about a role with a literal, within a literal."""
_VALUE = re.compile(r"['=:]")
_QUOTE = re.compile(r"'|\$\w*\$|\"")
_EMPTY = frozenset({"", "{}", "[]"})
"""Values without content, for example defaults."""
_LEVELS = frozenset({"debug", "log", "info", "notice", "warning", "exception"})
_AFTER_SETTING = frozenset({";", ")", "as"})
_UNCHANGED = frozenset({"default", "null", "none", "from", "current"})


@dataclass(frozen=True, slots=True)
class Secret:
    """A part of a text that must not be shown, and what a message of the server may quote of it."""

    start: int
    end: int
    values: tuple[str, ...] = ()


def find_secrets(text: str) -> Iterator[Secret]:
    """Yield the secrets in the statements and comments of a text, in no particular order; they may overlap.

    If the quotes of the text do not match, what is a literal is unknown: from the first literal of the first statement that
    speaks of secrets on, everything is one.
    """
    pieces = list(divide(text))
    if any(piece.mismatched for piece in pieces) or _has_other_escapes(text, pieces):
        yield from _find_rest(text, pieces)
    called: set[str] = set()
    for piece in pieces:
        yield from _find_in_comments(piece.comments)
        speaks = speaks_of_secrets(join(piece.tokens)) or not called.isdisjoint(token.text for token in piece.tokens)
        called |= _list_created(piece.tokens) if speaks else set()
        if piece.for_psql:
            yield from _find_in_line(piece.tokens) if speaks else ()
            continue
        yield from _find_literals(piece.tokens, everything=speaks)
        if speaks and piece.data[1]:
            yield from _find_in_data(text, *piece.data)


def _has_other_escapes(text: str, pieces: Iterable[Piece]) -> bool:
    r"""Return True if a plain string ends in \', which does not end it where standard_conforming_strings is off."""
    if "standard_conforming_strings" not in text.lower():
        return False
    return any(token.kind == "string" and token.text.endswith("\\'") for piece in pieces for token in piece.tokens)


def _list_created(tokens: Sequence[Token]) -> set[str]:
    """Return the name of the routine or prepared statement that a statement creates: its arguments may be secret."""
    words = [token.text.lower() for token in tokens[:5]]
    if words[:1] == ["prepare"]:
        return {token.text for token in tokens[1:2]}
    if words[:1] != ["create"] or not {"function", "procedure"} & set(words):
        return set()
    named = (name for name, following in pairwise(tokens) if following.text == "(" and name.kind in NAMES)
    return {name.text for name in islice(named, 1)}


def _find_rest(text: str, pieces: Iterable[Piece]) -> Iterator[Secret]:
    """Yield what follows in a text from the first literal of the first statement that speaks of secrets on."""
    for piece in pieces:
        if speaks_of_secrets(text[piece.start : piece.end]) or _ROLE.search(text, piece.start, piece.end):
            quote = _QUOTE.search(text, piece.start)
            if quote:
                yield Secret(quote.start(), len(text), _split(text[quote.start() :]))
            return


def _split(text: str) -> tuple[str, ...]:
    """Return the parts of a text that a message of the server may quote, whatever its quotes mean."""
    return tuple(part.strip() for part in re.split(r"[\n']", text))


def _find_in_comments(groups: Iterable[Sequence[Token]]) -> Iterator[Secret]:
    """Yield the literals in comments that speak of secrets: statements that were commented out. Their apostrophes are kept."""
    for group in groups:
        for comment, secrets in zip(group, _find_in_texts([comment.text for comment in group]), strict=False):
            yield from (Secret(comment.start + each.start, comment.start + each.end, each.values) for each in secrets)


def find_in_prose(text: str) -> Iterator[Secret]:
    """Yield the literals in a text that is not SQL, if it speaks of secrets."""
    for secrets in _find_in_texts([text]):
        yield from secrets


def _find_in_texts(texts: Sequence[str]) -> Iterator[list[Secret]]:
    """Yield the literals in each of the texts if they speak of secrets together, else nothing."""
    joined = " ".join(text.lstrip("-") for text in texts)
    if speaks_of_secrets(joined, keys=False) or _ROLE.search(joined):
        for text in texts:
            spans = [match.span("value" if match["value"] else 0) for match in _COMMENTED.finditer(text)]
            yield [Secret(start, end, _split(text[start:end])) for start, end in spans]


def _find_in_line(tokens: Sequence[Token]) -> Iterator[Secret]:
    r"""Yield the arguments of a psql command that speaks of secrets, for example of `\set api_token x`."""
    arguments = tokens[2:]
    first = 1 if len(arguments) > 1 and arguments[0].kind in NAMES else 0
    if first or any(token.kind in STRINGS for token in arguments):
        values = (value for token in arguments[first:] for value in list_values(token))
        yield Secret(arguments[first].start, arguments[-1].end, tuple(values))


def _find_in_data(text: str, start: int, end: int) -> Iterator[Secret]:
    """Yield the lines of the data of a COPY."""
    for match in re.compile(r"[^\r\n]+").finditer(text, start, end):
        yield Secret(*match.span())


def _find_literals(tokens: Sequence[Token], *, everything: bool, inside: bool = False) -> Iterator[Secret]:
    """Yield the literals of a statement or, `inside` a body, of several.

    Without `everything`, only those of statements about roles, in which PASSWORD may be misspelt, and connection strings.
    """
    kind = ""
    for index, token in enumerate(tokens):
        if token.text == ";":
            kind = ""
        elif token.kind == "word":
            kind = _read_kind(tokens, index) or kind
            if everything:
                yield from _find_bare(tokens, index, kind)
        elif token.kind in STRINGS and _is_code(tokens, index, inside=inside):
            yield from _find_in_body(token, everything=everything)
        elif token.kind in STRINGS and (everything or _is_always_secret(tokens, index, kind)) and _matters(tokens, index, inside):
            yield Secret(token.start, token.end, tuple(list_values(token)))


def _read_kind(tokens: Sequence[Token], index: int) -> str:
    """Return what a statement that begins here creates or alters, as far as it matters; empty for all others."""
    word, *following = (token.text.lower() for token in tokens[index : index + 7])
    if word not in ("create", "alter") or not following:
        return ""
    noun = "role" if following[0] in ("user", "group") else following[0]
    sets = "set" in following[2:3] + following[5:6]
    return "" if following[1:2] == ["mapping"] or (noun == "role" and sets) else noun


def _is_always_secret(tokens: Sequence[Token], index: int, kind: str) -> bool:
    """Return True for a literal that is secret in a statement without a word for a secret."""
    previous = tokens[index - 1].text.lower() if index else ""
    if kind == "role":
        return previous != "until"
    return (kind == "subscription" and previous == "connection") or _ROLE_LITERAL.search(read_value(tokens[index])) is not None


def _is_code(tokens: Sequence[Token], index: int, *, inside: bool) -> bool:
    """Return True for the body of a routine or of a DO block between dollar quotes, except in another body."""
    if inside or tokens[index].kind != "dollar_string":
        return False
    words = [token.text.lower() for token in tokens[:5]]
    if words[0] == "create":
        return tokens[index - 1].text.lower() == "as" and bool({"function", "procedure"} & set(words))
    return words[0] == "do"


def _find_in_body(token: Token, *, everything: bool) -> Iterator[Secret]:
    """Yield the secrets in a body between dollar quotes."""
    mark = token.text[: token.text.index("$", 1) + 1]
    body, start = read_value(token), token.start + len(mark)
    code = Code()
    for each in tokenize(body, skip=SPACE):
        code.add(move(each, start))
    yield from _find_in_comments(code.comments)
    quote = _QUOTE.search(body)
    if code.mismatched and quote and (everything or speaks_of_secrets(body)):
        yield Secret(start + quote.start(), start + len(body), _split(body[quote.start() :]))
    yield from _find_literals(code.tokens, everything=everything, inside=True)


def _matters(tokens: Sequence[Token], index: int, inside: bool) -> bool:
    return read_value(tokens[index]).strip() not in _EMPTY and not (inside and _is_prose(tokens, index))


def _is_prose(tokens: Sequence[Token], index: int) -> bool:
    """Return True for the text of a RAISE, which the error of the server quotes, if it contains no value."""
    words = [token.text.lower() for token in tokens[max(index - 2, 0) : index]]
    raised = words[-1:] == ["raise"] or (words[:1] == ["raise"] and words[-1] in _LEVELS)
    return raised and not _VALUE.search(read_value(tokens[index]))


def _find_bare(tokens: Sequence[Token], index: int, kind: str) -> Iterator[Secret]:
    """Yield values that are no literals: SET app.password TO value, and PASSWORD "value", a common mistake."""
    word = tokens[index].text.lower()
    following = tokens[index + 1 : index + 2]
    if kind == "role" and word == "password" and following and following[0].kind in NAMES | {"number"}:
        if following[0].text.lower() not in _UNCHANGED:
            yield Secret(following[0].start, following[0].end, tuple(list_values(following[0])))
    elif word == "set":
        yield from _find_setting(tokens, index + 1, anywhere=kind in ("system", "database", "role") or index == 0)


def _find_setting(tokens: Sequence[Token], index: int, *, anywhere: bool) -> Iterator[Secret]:
    """Yield the value of a setting; outside of the statements that set one, its name has a dot (in UPDATE it has none)."""
    name: list[str] = []
    while index < len(tokens) and (tokens[index].kind in NAMES or tokens[index].text == "."):
        if tokens[index].text.lower() == "to":
            break
        name.append(tokens[index].text)
        index += 1
    assigned = index < len(tokens) and tokens[index].text.lower() in ("to", "=")
    if not assigned or not (anywhere or "." in name) or not speaks_of_secrets("".join(name)):
        return
    values = list(takewhile(lambda token: token.text.lower() not in _AFTER_SETTING, tokens[index + 1 :]))
    if values and values[0].text.lower() not in _UNCHANGED:
        yield Secret(values[0].start, values[-1].end, tuple(value for each in values for value in list_values(each)))
