"""Write a diagram to a file, in the format of the file's ending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.catalog import COLUMN_ORDER, Catalog, Difference, show_difference
from tasks.checkout.writing import refuse_links, write_file
from tasks.console.lines import count
from tasks.diagram.build import build_diagram, find_partitions
from tasks.diagram.choose import choose_tables
from tasks.diagram.events import DiagramWritten
from tasks.diagram.mermaid import render_markdown
from tasks.diagram.model import MARKS, Diagram
from tasks.diagram.svg import render_svg
from tasks.runner.errors import RunnerError, UsageError

_FORMATS = (".md", ".svg")


def check_output(text: str) -> Path:
    """Return the path of the file to write.

    Raises UsageError for a name that does not end in a known format, RunnerError if its folder does not exist, and RefusedError
    for a link.
    """
    path = Path(text)
    if path.suffix.lower() not in _FORMATS:
        problem = f"--output={text} does not end in .md or .svg" if text else "--output is missing"
        hint = "inv db.diagram --output schema.md writes Markdown with a Mermaid diagram, --output schema.svg an SVG image."
        raise UsageError(problem, hint=hint, state="Nothing was written.")
    refuse_links([path])
    if not path.parent.is_dir():
        raise _describe_unwritable(path, "No such file or directory")
    return path


def _describe_unwritable(path: Path, reason: str | None) -> RunnerError:
    return RunnerError(
        f"{path} cannot be written: {reason}", hint="Name another file with --output.", state="Nothing was written."
    )


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn: a schema, and the changes of pending migrations to it."""

    schema: Catalog
    changes: Difference
    pending: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """The statements whose effect is not known."""


def write_drawing(drawing: Drawing, path: Path, *, only: Sequence[str] = (), changed: bool = False) -> DiagramWritten:
    """Write a diagram, and return the event; `only` are patterns, `changed` restricts it to what the pending migrations change.

    Raises UsageError for a pattern that matches no table, and RunnerError if the file cannot be written.
    """
    whole = drawn = build_diagram(drawing.schema, drawing.changes)
    if only:
        drawn = drawn.restrict(choose_tables(only, [table.name for table in whole.tables], find_partitions(drawing.schema)))
    if changed:
        drawn = drawn.restrict_to_changes()
    summary = summarize(drawn, total=len(whole.tables), pending=len(drawing.pending))
    if changed and not drawn.tables:
        summary = "No pending migration changes a table."
    if path.suffix.lower() == ".svg":
        text = render_svg(drawn, summary)
    else:
        text = render_markdown(drawn, summary, list(show_difference(_choose_changes(drawing.changes, drawn))))
    try:
        write_file(path, text.encode())
    except OSError as error:
        raise _describe_unwritable(path, error.strerror) from error
    marks = [table.mark for table in drawn.tables]
    new, altered, dropped = (marks.count(mark) for mark in MARKS)
    return DiagramWritten(
        str(path), len(drawn.tables), len(drawn.keys), drawing.pending, new, altered, dropped, drawing.unchecked
    )


def _choose_changes(changes: Difference, drawn: Diagram) -> Difference:
    """Return the changes of the tables that are drawn, and of what belongs to them."""
    names = {table.name for table in drawn.tables}
    kept = (change for change in changes.without({COLUMN_ORDER}).changes if (change.key.parent or change.key.name) in names)
    return Difference(tuple(kept))


def summarize(diagram: Diagram, *, total: int, pending: int = 0) -> str:
    """Return what a diagram shows in one line: how many tables and foreign keys, and how many of them change."""
    shown = len(diagram.tables)
    tables = count(total, "table") if shown == total else f"{shown} of {count(total, 'table')}"
    text = f"{tables}, {count(len(diagram.keys), 'foreign key')}"
    if not pending:
        return text
    marks = [table.mark for table in diagram.tables]
    counted = [f"{marks.count(mark)} {mark}" for mark in MARKS if mark in marks]
    effect = f"tables: {', '.join(counted)}" if counted else "no table changes"
    return f"{text}; {count(pending, 'pending migration')} ({effect})"
