"""Where the statements of a revision begin and end transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.postgres.tokens import BLANKS, tokenize

BEGIN, COMMIT = "BEGIN", "COMMIT"
_BOUNDARIES = {
    f"{verb}{noise}": boundary
    for boundary, verbs, noises in (
        (BEGIN, ("BEGIN",), ("", " WORK", " TRANSACTION")),
        (BEGIN, ("START TRANSACTION",), ("",)),
        (COMMIT, ("COMMIT", "END"), ("", " WORK", " TRANSACTION")),
    )
    for verb in verbs
    for noise in noises
}
"""The forms of both: https://www.postgresql.org/docs/current/sql-commit.html, also with END."""


def separate_boundaries(text: str) -> Iterator[str]:
    """Yield a text, in parts if it ends or begins a transaction: each BEGIN and COMMIT alone, in this form.

    Revisions execute COMMIT for what cannot run in a transaction, often together with that.
    """
    parts = list(_split(text))
    found = [_BOUNDARIES.get(_normalise(part)) for part in parts]
    if not any(found) or (len(parts) > 1 and "ATOMIC" in text.upper()):
        yield text
        return
    for part, boundary in zip(parts, found, strict=True):
        if _normalise(part):
            yield boundary or part.strip()


def _split(text: str) -> Iterator[str]:
    """Yield the parts between semicolons; those in the body of a function with BEGIN ATOMIC count, too."""
    start = 0
    for token in tokenize(text):
        if token.kind == "punctuation" and token.text == ";":
            yield text[start : token.start]
            start = token.end
    yield text[start:]


def _normalise(text: str) -> str:
    return " ".join(token.text.upper() for token in tokenize(text, skip=BLANKS))


def divide(texts: Sequence[str]) -> list[tuple[bool, list[str]]]:
    """Return the statements in blocks: those of a transaction, in which a revision begins, and those outside of one."""
    blocks: list[tuple[bool, list[str]]] = [(True, [])]
    for text in texts:
        if text not in (BEGIN, COMMIT):
            blocks[-1][1].append(text)
        elif blocks[-1][0] != (text == BEGIN):
            blocks.append((text == BEGIN, []))
    return [block for block in blocks if block[1]]
