"""Which migrations of a checkout are rehearsed, and on what they stand. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tasks.rehearsal.model import Piece


@dataclass(frozen=True, slots=True)
class Selection:
    """Hold all migrations of a checkout in their order, the versions to rehearse, and why these.

    `applied` are the versions that the environment has; it is empty where no environment was asked, and then nothing is late.
    """

    pieces: tuple[Piece, ...]
    chosen: tuple[str, ...]
    reason: str
    applied: frozenset[str] = frozenset()
    asked: bool = False
    """Whether an environment said what is pending."""

    def list_chosen(self) -> list[Piece]:
        """List the pieces to rehearse."""
        return [piece for piece in self.pieces if piece.name in self.chosen]

    def list_before(self, version: str) -> list[Piece]:
        """List the pieces that stand before a version."""
        return [piece for piece in self.pieces if piece.name < version]

    def is_late(self, version: str) -> bool:
        """Tell whether a version is older than the newest applied one."""
        return version not in self.applied and version < max(self.applied, default="")

    def list_orders(self, version: str) -> tuple[list[Piece], list[Piece]]:
        """List the pieces that a late version meets: with it in its place, and with it after all others.

        Late ones before it stand in both where they would: in their places, and just before it.
        """
        late = [piece for piece in self.pieces if piece.name <= version and self.is_late(piece.name)]
        applied = [piece for piece in self.pieces if piece.name in self.applied]
        return sorted([*applied, *late], key=lambda piece: piece.name), [*applied, *late]

    def without(self, versions: Collection[str]) -> Selection:
        """Leave pieces out that nothing can stand on."""
        return replace(self, pieces=tuple(piece for piece in self.pieces if piece.name not in versions))
