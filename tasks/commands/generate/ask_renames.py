"""Ask at the terminal whether an object was renamed."""

from __future__ import annotations

from tasks.catalog import Key
from tasks.console.cells import clean
from tasks.console.prompts import explain_no_prompt, read_answer
from tasks.rehearsal.sql_diff.answers import Ask
from tasks.rehearsal.sql_diff.renames import Question
from tasks.runner.signals import Stop


def choose_ask(stop: Stop, *, json: bool) -> Ask | None:
    """Return how questions about renames are asked, or None if they cannot be."""
    return None if explain_no_prompt(json=json) else lambda question: _ask(question, stop)


def _ask(question: Question, stop: Stop) -> Key | bool | None:
    """Return the new key, False for an object that was dropped, or None for another answer. Raises Interruption on a signal."""
    lines = [f"{clean(str(question.lost))} is gone.", "Was it renamed, or dropped with its rows?"]
    lines += [f"  {number}  renamed to {clean(key.name)}" for number, key in enumerate(question.found, 1)]
    lines += ["  d  dropped", "Answer: "]
    answer = read_answer("\n".join(lines), stop).lower()
    if answer == "d":
        return False
    numbers = {str(number): key for number, key in enumerate(question.found, 1)}
    return numbers.get(answer)
