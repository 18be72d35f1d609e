"""The modes of locks on relations, which of them conflict, and which statements have to wait.

https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MODES: Final = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""The modes by their names in pg_locks, from the weakest to the strongest."""
(ACCESS_SHARE, ROW_SHARE, ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE, SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE) = MODES
CONFLICTS: Final = {
    ACCESS_SHARE: frozenset({ACCESS_EXCLUSIVE}),
    ROW_SHARE: frozenset({EXCLUSIVE, ACCESS_EXCLUSIVE}),
    ROW_EXCLUSIVE: frozenset({SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE}),
    SHARE_UPDATE_EXCLUSIVE: frozenset({SHARE_UPDATE_EXCLUSIVE, SHARE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE}),
    SHARE: frozenset({ROW_EXCLUSIVE, SHARE_UPDATE_EXCLUSIVE, SHARE_ROW_EXCLUSIVE, EXCLUSIVE, ACCESS_EXCLUSIVE}),
    SHARE_ROW_EXCLUSIVE: frozenset(MODES) - {ACCESS_SHARE, ROW_SHARE},
    EXCLUSIVE: frozenset(MODES) - {ACCESS_SHARE},
    ACCESS_EXCLUSIVE: frozenset(MODES),
}


def conflict(one: str, other: str) -> bool:
    """Return True if two sessions cannot have locks of these modes on one relation at the same time.

    Modes of other locks, as the SIReadLock of a serializable transaction, conflict with none.
    """
    return other in CONFLICTS.get(one, ())


def find_strongest(modes: Iterable[str]) -> str:
    """Return the strongest of some modes; raises ValueError if there are none."""
    return max(modes, key=MODES.index)
