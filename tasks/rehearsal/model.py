"""What is rehearsed, and what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from tasks.catalog import Catalog, Difference, compare
from tasks.rehearsal.errors import UNTOUCHED
from tasks.runner.errors import Place, RefusedError, RunnerError
from tasks.runner.planning.plan import Choice, Source, Step, plan

Direction = Literal["up", "down"]
_ACTIONS = {"up": "migrate", "down": "rollback"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold one migration's texts, whether they come from files or from the ledger; `name` need be no version.

    `shown` and `shown_down` are how errors name the texts; the name stands in where they are empty.
    """

    name: str
    up: str
    down: str | None = None
    shown: str = ""
    shown_down: str = ""

    def make_step(self, direction: Direction) -> Step:
        """Make the step that a run would take; raises RefusedError for a text that no run can take, or that is not there."""
        shown = self.shown or self.name
        if direction == "down" and self.down is None:
            raise RefusedError(f"{self.name} has no down", state=UNTOUCHED, place=Place(shown))
        if direction == "down":
            shown = self.shown_down or f"{shown} (down)"
        text = self.up if direction == "up" else self.down or ""
        source = Source(shown, text, hashlib.sha256(self.up.encode()).hexdigest(), self.down)
        made = plan(Choice(_ACTIONS[direction], (self.name,)), {self.name: source}, {})
        return made.steps[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tell what running a piece did: the schema before and after, the error if it failed, and what was left out."""

    piece: Piece
    direction: Direction
    error: RunnerError | None
    before: Catalog
    after: Catalog
    unchecked: tuple[str, ...] = ()
    """The statements that were not run, each by file, line and first words."""

    @property
    def effect(self) -> Difference:
        """Return what the piece changed in the schema."""
        return compare(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Trial:
    """Tell how one run of a piece ended; `clean` says that a failed one left nothing behind."""

    error: RunnerError | None = None
    unchecked: tuple[str, ...] = ()
    clean: bool = True
