"""The statements that the server refused in a transaction, as a note in the log, so that a later run divides the file alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.runner.parsing import Script

_NOTE = "outside a transaction: "
_STATEMENT = re.compile(r"statement (\d{1,9}) \(([0-9a-f]{16})\)")


def describe_separations(script: Script, numbers: Iterable[int]) -> str:
    """Return the note for statements, by their numbers from 1; empty for none."""
    statements = script.statements
    parts = [f"statement {number} ({statements[number - 1].mark})" for number in sorted(numbers)]
    return _NOTE + ", ".join(parts) if parts else ""


def restore_separations(script: Script, note: str, *, done: int) -> tuple[Script, frozenset[int]]:
    """Return the script divided as in the attempt with this note, and the numbers of the statements that it separates.

    A statement that has changed since is not separated. But if segments are done, the segment before it still ends there.
    """
    if not note.startswith(_NOTE):
        return script, frozenset()
    statements = script.statements
    separated = set()
    for digits, mark in _STATEMENT.findall(note):
        number = int(digits)
        if not 0 < number <= len(statements):
            continue
        if statements[number - 1].mark == mark:
            separated.add(number)
            script = script.separate(number)
        elif done:
            script = script.separate(number, alone=False)
    return script, frozenset(separated)
