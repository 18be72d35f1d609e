"""The events of an adoption."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.runner.events import Event, event


@dataclass(frozen=True, slots=True)
class AdoptionRow:
    """The verdict on one migration: whether the database has it, the evidence, and what follows."""

    version: str
    verdict: str
    """present, absent, partial, superseded or cannot tell."""
    evidence: str
    there: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    recorded: bool = False
    """Whether the ledger has it."""
    proposed: bool = False
    """Whether it is to be recorded."""
    claimed: str = ""
    """Who claims that it was applied: the ledger, another tool, or you (an assumption on the command line)."""
    contradicted: bool = False
    """Whether the schema contradicts that claim."""
    undecided: bool = False
    """Whether a decision is needed before anything is recorded."""
    following: str = ""
    """What the next run will do with it."""
    repeats: tuple[str, ...] = ()
    """What it inserts into tables that have rows, whether it exists already or not, as `2 rows into public.sources`."""


@event("adoption_read")
@dataclass(frozen=True, slots=True)
class AdoptionRead(Event):
    """The verdicts on all migrations of a folder, for one database."""

    environment: str
    database: str
    rows: tuple[AdoptionRow, ...]
    proved: bool
    """Whether replaying exactly the present migrations on an empty database results in this schema."""
    empty: bool
    strangers: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    tool: str = ""
    """The tool whose version table is taken over; empty if there is none."""
    unmatched: tuple[str, ...] = ()
    """The rows of that table that match no migration."""
    tried: int = 0
    has_ledger: bool = True
    elsewhere: tuple[str, ...] = ()
    """Without a ledger: the schemas, not on search_path, that have one."""
    not_rehearsed: str = ""
    """Why the pending migrations were not rehearsed on a copy of this schema."""
    unread: str = ""
    """Why the rows of the other tool's version table could not be read."""
