"""The steps of a safe migration: statements that share a transaction, with the statements that undo them."""

from __future__ import annotations

from dataclasses import dataclass, field

Touched = tuple[str, ...]
"""What a statement changes, by kind and names without their schemas: ("column", table, column)."""


@dataclass(frozen=True, slots=True)
class SafeStep:
    """Statements of a safe migration, which replace a statement of the file or are that statement.

    `down` are the statements that undo it; None: those of the author's down file that undo `touched`, or `inverse` without one.
    """

    words: str
    """The description of its file, if it has one of its own."""
    up: str
    down: str | None = None
    alone: bool = True
    """Whether it needs a file of its own."""
    after_deploy: bool = False
    alone_down: bool = False
    """Whether each statement of its down needs a transaction of its own."""
    touched: frozenset[Touched] = field(default_factory=frozenset)
    """What the statement that it replaces changes: the author's statements that undo this are replaced by `down`."""
    inverse: str = ""
    segment: int = 0
    original: bool = False
    """Whether `up` is the author's text, with the comments around it."""
    setting: str = ""
    """A SET of the author, which applies to what follows."""
    extra: bool = False
    """Whether it adds something to the schema that the statement does not ask for."""


class NotRewritableError(Exception):
    """The reason why a statement has no safe migration that can be written automatically."""
