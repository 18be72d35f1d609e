"""The drafts of files, and which of them share a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasks.generation.dividing.downs import IRREVERSIBLE, NOTHING

BRIEF, SLOW = "brief", "slow"
"""What joins files: statements that change one table each for an instant, and those that last, without keeping out anyone."""
_NOTHING = NOTHING.partition(":")[0]


@dataclass(frozen=True, slots=True)
class FileDraft:
    """A file without its header: `down` are its statements, or the directive irreversible."""

    words: str
    up: str
    down: str
    after_deploy: bool = False
    joins: str = ""
    """Drafts that follow each other with the same key share a file."""
    separate: bool = False
    """Whether each statement of the up needs a transaction of its own."""
    separate_down: bool = False
    replaces: frozenset[int] = frozenset()
    """The numbers of the statements of whose safe forms it is a part."""


def join_drafts(drafts: Sequence[FileDraft]) -> list[FileDraft]:
    """Return the drafts of which those that fit are one."""
    joined: list[FileDraft] = []
    for draft in drafts:
        last = joined[-1] if joined else None
        fits = last is not None and draft.joins and (draft.joins, draft.after_deploy) == (last.joins, last.after_deploy)
        if last is not None and fits and not any(IRREVERSIBLE in each.down for each in (draft, last)):
            joined[-1] = _join(last, draft)
        else:
            joined.append(draft)
    return joined


def _join(first: FileDraft, second: FileDraft) -> FileDraft:
    undone = [each.down for each in (second, first) if not each.down.startswith(_NOTHING)] or [first.down]
    brief = first.joins == BRIEF
    others = "" if not brief or first.words.endswith("others") else " and others"
    return replace(
        first,
        words=first.words + others,
        up=f"{first.up.rstrip()}\n\n{second.up}",
        down="\n\n".join(text.rstrip() for text in undone) + "\n",
        separate=first.separate or second.separate or brief,
        separate_down=first.separate_down or second.separate_down or brief,
        replaces=first.replaces | second.replaces,
    )
