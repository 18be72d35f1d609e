"""Questions at the terminal: a change of the ledger, a guarded environment, a run on another machine."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING

from tasks.console.cells import clean
from tasks.runner.errors import Interruption, RefusedError

if TYPE_CHECKING:
    from tasks.runner.events import RepairProposed
    from tasks.runner.operations.migrate import Confirm
    from tasks.runner.signals import Stop


_QUESTIONS = {
    "record checksum": "Record the text of {version} as the applied one? The database itself is not changed.",
    "drop row": "Forget {version}? The database itself is not changed, and it can no longer be rolled back.",
    "forget attempt": "Forget the attempt on {version}? What it committed stays in the database.",
    "run the stored down text": "Run the stored down text of {version}, which cannot be verified?",
    "mark": "Record {version} as applied, without running it?",
    "unmark": "Remove the record of {version}, without rolling it back?",
    "end session": "End {version}? Its open transaction is rolled back.",
}
"""The questions by the change that they are about; other changes are named."""


def explain_no_prompt(*, json: bool) -> str:
    """Return why a question cannot be asked, or an empty text if it can."""
    if json:
        return "--json cannot ask"
    if sys.stdin is None or not sys.stdin.isatty():
        return "the input is not a terminal"
    return ""


def require_prompt(what: str, hint: str, *, json: bool) -> None:
    """Raise RefusedError if no question can be asked; `what` is the first part of its message: what asks for confirmation."""
    reason = explain_no_prompt(json=json)
    if reason:
        raise RefusedError(f"{what}, but {reason}", hint=hint, state="Nothing was changed.")


def read_answer(question: str, stop: Stop) -> str:
    """Ask on stderr and return the line that is typed, empty at the end of the input. Raises Interruption on a signal."""
    print(question, end="", file=sys.stderr, flush=True)
    select.select([sys.stdin, stop], [], [])
    stop.check()
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
    return answer.strip()


def confirm_by_typing(question: str, wanted: str, stop: Stop) -> None:
    """Ask for a word to be typed; raises RefusedError for any other answer, and for a signal."""
    try:
        answer = read_answer(f"{question} Type {wanted} to continue: ", stop)
    except Interruption:
        print(file=sys.stderr)
        answer = ""
    if answer != wanted and not (wanted == "yes" and answer.lower() == wanted):
        raise RefusedError(
            f"you typed '{answer}', not '{wanted}'" if answer else "not confirmed",
            hint="Run the same command again to be asked again.",
            state="Nothing was changed.",
        )


def choose_confirm(stop: Stop, *, yes: bool, json: bool) -> Confirm | None:
    """Return how changes of the ledger are confirmed: all, each at the terminal, or None if a question cannot be asked."""
    if yes:
        return lambda _proposal: True
    if explain_no_prompt(json=json):
        return None
    return lambda proposal: ask(proposal, stop)


def ask(proposal: RepairProposed, stop: Stop) -> bool:
    """Return True if one change is confirmed. Raises Interruption on a signal."""
    question = _QUESTIONS.get(proposal.change, "{change} of {version}?")
    text = question.format(change=clean(proposal.change), version=clean(proposal.version))
    return read_answer(f"{text} [y/N] ", stop).lower() in {"y", "yes"}


def ask_to_leave(*, json: bool) -> bool:
    """Ask, after Ctrl-C, whether a run on another machine continues; if the question cannot be asked, the run is stopped."""
    if explain_no_prompt(json=json):
        return False
    question = "\nThe migration is still running on the machine. [S]top it and roll back (default), or [l]eave it running? "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"l", "leave"}
