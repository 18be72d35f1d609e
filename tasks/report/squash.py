"""The messages of db.squash."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style, count, hang
from tasks.legacy.events import FileChanged
from tasks.report.cleanup import describe_file_change
from tasks.squash.events import SquashFinished, SquashPlanned


def register_messages() -> None:
    """Register the formatters of the events of a squash."""
    register_formatters({FileChanged: describe_file_change, SquashPlanned: _plan_squash, SquashFinished: _finish_squash})


def _plan_squash(event: SquashPlanned, style: Style) -> list[Line]:
    what = f"{count(len(event.versions), 'migration')} become {clean(event.version)}"
    how = "begun by an earlier run, not replayed again" if event.resumed else f"with {count(event.rows, 'row')}"
    lines = [Line(f"{what}, {how}", "head")]
    lines += [Line(f"{INDENT}{clean(version)}", "dim") for version in event.versions]
    if event.varying:
        varying = ", ".join(map(clean, event.varying))
        lines += hang("⚠️  ", f"differs between two replays, and is a constant in the new file: {varying}", "warn")
    if style.verbose:
        lines += [Line(clean_code(line)) for line in event.text.splitlines()]
    return lines


def _finish_squash(event: SquashFinished, _style: Style) -> list[Line]:
    what = f"{count(event.count, 'migration')} into {clean(event.version)}"
    if event.resumed:
        done, would = f"Completed the squash of {what}", f"a run would complete the squash of {what}"
    else:
        would = "proved on scratch: the same schema, the same rows"
        done = f"Squashed {what}; {would}"
    return [Line(f"✅ {done if event.applied else f'Dry run: nothing was changed; {would}'}", "good")]


def clean_code(text: str) -> str:
    """Clean a line of code, and keep its indentation."""
    return " " * (len(text) - len(text.lstrip(" "))) + clean(text.lstrip(" "))
