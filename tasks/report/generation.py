"""The messages of db.new where a wanted schema determines the migration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from tasks.catalog import Difference, show_difference
from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, hang
from tasks.generation.events import MigrationCreated, MigrationProposed
from tasks.report.schema_changes import format_change

_MOST_NAMED = 5


def register_messages() -> None:
    """Register the formatters for the events of generated migrations."""
    register_formatters({MigrationProposed: _format_proposed, MigrationCreated: _format_created})


def _format_proposed(event: MigrationProposed, _style: Style) -> list[Line]:
    source = clean(event.source)
    lines = [Line(f"Compared {source} with a replay of {count(event.versions, 'migration')}.", "dim")]
    lines += _list("⚠️  not checked: ", event.unchecked, "warn")
    if not event.changes:
        lines.append(Line(f"✅ Nothing differs: the migrations make {source}. No file was written.", "good"))
        return [*lines, *format_left_out(event.left_out), *_list(f"{INDENT}not changed: ", event.orders, "dim")]
    number = count(len(event.changes.changes), "difference")
    lines.append(Line(f"{number} from the migrations (+ wanted, - now)", "plain"))
    lines += [format_change(text) for text in show_difference(event.changes)]
    lines += format_left_out(event.left_out)
    lines += _list(f"{INDENT}renamed: ", event.renames, "plain")
    lines += _list(f"{INDENT}not changed: ", event.orders, "dim")
    lines += _list("⚠️  loses data: ", event.losses, "warn")
    lines += _list("⚠️  risk: ", event.risks, "warn")
    lines += _list("⚠️  fails on such rows: ", event.conditions, "warn")
    lines += _list("⚠️  cannot be rolled back: ", event.irreversible, "warn")
    lines += _list("⚠️  without rows on scratch: ", event.unfilled, "warn")
    return [*lines, *_format_proof(event)]


def _format_proof(event: MigrationProposed) -> list[Line]:
    ways = "up" if event.irreversible else "up, down and up again"
    tables = f"with rows in {count(event.tables, 'table')}" if event.tables else "in empty tables only"
    role: Role = "good" if event.tables or not (event.conditions or event.unfilled) else "warn"
    return [Line(f"{'✅' if role == 'good' else '⚠️ '} Proved on scratch: {ways}, {tables}", role)]


def format_left_out(left_out: Difference) -> Iterator[Line]:
    """Yield what the source cannot express, by kind."""
    changes = sorted(left_out.changes, key=lambda change: change.key.kind)
    if changes:
        yield Line(f"{INDENT}Left as it is, because the source cannot express it:", "dim")
    for kind, group in groupby(changes, key=lambda change: change.key.kind):
        names = [str(change.key).removeprefix(f"{kind} ") for change in group]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield Line(f"{INDENT}  {kind}: {clean(', '.join(names[:_MOST_NAMED]))}{more}", "dim")


def _list(first: str, texts: Iterable[str], role: Role) -> list[Line]:
    return [line for text in texts for line in hang(first, text, role)]


def _format_created(event: MigrationCreated, _style: Style) -> list[Line]:
    lines = [Line(f"✅ Created {clean(event.version)}", "good"), *(Line(f"{INDENT}{clean(path)}") for path in event.paths)]
    return [*lines, *_list(INDENT, event.notes, "dim")]
