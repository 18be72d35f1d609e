"""Asking a person at the terminal about one change of the ledger."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.runner.events import RepairProposed
    from tasks.runner.operations.repair import Confirm
    from tasks.runner.signals import Stop


def choose_confirm(stop: Stop, *, yes: bool, json: bool) -> Confirm | None:
    """Say how changes are agreed to: all of them, each by a person, or (None) not at all, because nobody can be asked."""
    if yes:
        return lambda _proposal: True
    if json or sys.stdin is None or not sys.stdin.isatty():
        return None
    return lambda proposal: ask(proposal, stop)


def ask(proposal: RepairProposed, stop: Stop) -> bool:
    """Ask on stderr and read the answer from stdin; the end of the input means no. Raises Interruption on a signal."""
    print(f"{proposal.change} of {proposal.version}? [y/N] ", end="", file=sys.stderr, flush=True)
    select.select([sys.stdin, stop], [], [])
    stop.check()
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
    return answer.strip().lower() in {"y", "yes"}


def ask_to_leave(*, json: bool) -> bool:
    """Ask, after Ctrl-C, whether a run on another machine shall go on; where nobody can be asked, it is stopped."""
    if json or not sys.stdin.isatty():
        return False
    print("\nThe run goes on over there. [s]top it (it rolls back), or [l]eave it running? ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"l", "leave"}
