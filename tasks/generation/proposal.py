"""A proposed migration as a value: its files, what they change, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tasks.catalog import Change, Difference
from tasks.rehearsal.kept.schemas import NOTHING_KEPT, KeptSchemas
from tasks.rehearsal.rows import LostRows
from tasks.rehearsal.sql_diff.answers import Answers, Ask
from tasks.rehearsal.sql_diff.renames import ObjectRename


@dataclass(frozen=True, slots=True)
class ProposalOptions:
    """How a migration is proposed: the answers about renames, whether rows may be lost, and the seconds that a file may take."""

    answers: Answers = field(default_factory=Answers)
    ask: Ask | None = None
    allow_loss: bool = False
    timeout_s: float | None = None
    exclude: tuple[str, ...] = ()
    """The tables that are not compared."""
    allowing: str = "run the same command with --allow-loss"
    """How losses are allowed, for the message that refuses them."""
    kept: KeptSchemas = NOTHING_KEPT


@dataclass(frozen=True, slots=True)
class ProposedFile:
    """The texts of one file, which are complete except for the line with its version; that is chosen when it is written."""

    version: str
    up: str
    down: str
    irreversible: str = ""
    """Why the down contains no statements; empty if it reverts the up."""

    @property
    def description(self) -> str:
        """Return the part of the version after the timestamp."""
        return self.version.partition("_")[2]


@dataclass(frozen=True, slots=True)
class RowProof:
    """What is known about the files on tables with rows: they ran up, down and up in tables that kept their rows."""

    tables: int = 0
    """The number of tables that had rows."""
    conditions: tuple[str, ...] = ()
    """Where the files fail because of rows: the direction, the file if that is not clear, and the message of the server."""
    unfilled: tuple[str, ...] = ()
    """The tables that got no rows, each with the reason."""
    lost: tuple[LostRows, ...] = ()
    """The tables and columns whose rows or values are lost after up and down."""
    triggers: tuple[str, ...] = ()
    """What triggers change while the files fill columns; it is not among what is lost."""
    orders: tuple[Change, ...] = ()
    """What changes from the orders that the columns have after the files to the wanted ones."""


def join_proofs(first: RowProof, second: RowProof) -> RowProof:
    """Return what is known about the files of two proofs, of which the second one begins after those of the first."""
    both = {
        name: tuple(dict.fromkeys((*getattr(first, name), *getattr(second, name))))
        for name in ("conditions", "unfilled", "lost", "triggers")
    }
    return replace(second, tables=min(first.tables, second.tables), **both)


@dataclass(frozen=True, slots=True)
class MigrationProposal:
    """A proved migration; without `files`, nothing differs."""

    label: str
    changes: Difference = field(default_factory=Difference)
    files: tuple[ProposedFile, ...] = ()
    left_out: tuple[Change, ...] = ()
    """What differs, and is no part of the comparison because the source cannot express it."""
    orders: tuple[str, ...] = ()
    """The orders of columns that differ, which no statement changes."""
    details: tuple[str, ...] = ()
    """What pg_dump shows otherwise and the comparison does not count: names that the server chose, orders of parameters."""
    kept: tuple[str, ...] = ()
    """The names of that kind that no statement changes."""
    renames: tuple[ObjectRename, ...] = ()
    losses: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    """The findings of db.lint for which no safe form is known."""
    rows: RowProof = field(default_factory=RowProof)
    unchecked: tuple[str, ...] = ()
    """The statements that were left out on scratch because their extensions are excluded: what they make is not compared."""
