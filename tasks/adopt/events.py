"""What adopting answers: the verdicts with their evidence, and what was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AdoptionRow:
    """Say of one migration whether the database has it, what speaks for that, and what follows."""

    version: str
    verdict: str
    """present, absent, partial, superseded or cannot tell."""
    evidence: str
    there: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    recorded: bool = False
    """Whether the ledger has it already."""
    proposed: bool = False
    """Whether it is to be recorded."""
    claimed: str = ""
    """Who says that it was applied: the ledger, another tool's record, or the person who asks."""
    contradicted: bool = False
    """Whether the schema contradicts who says so."""
    undecided: bool = False
    """Whether somebody has to decide before anything is written."""
    following: str = ""
    """What the next run will do with it."""


@dataclass(frozen=True, slots=True)
class AdoptionRead:
    """Give the verdict on every migration of a folder, for one database."""

    kind: ClassVar[str] = "adoption_read"
    environment: str
    database: str
    rows: tuple[AdoptionRow, ...]
    proved: bool
    """Whether replaying exactly the present migrations on an empty database gives this schema."""
    empty: bool
    strangers: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    tool: str = ""
    """Whose record is taken over; empty where there is none."""
    unmatched: tuple[str, ...] = ()
    """What that record has and no migration here is."""
    tried: int = 0
