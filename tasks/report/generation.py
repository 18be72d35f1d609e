"""The messages of db.new where a wanted schema determines the migration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from tasks.catalog import Difference, show_difference
from tasks.console.cells import clean, clean_lines
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, hang
from tasks.generation.events import CreatedMigration, MigrationProposed, MigrationsCreated, ProposalStarted
from tasks.report.schema_changes import count_objects, format_change

_MAJOR = 10000


def register_messages() -> None:
    """Register the formatters for the events of generated migrations."""
    register_formatters(
        {ProposalStarted: _format_started, MigrationProposed: _format_proposed, MigrationsCreated: _format_created}
    )


def _format_started(event: ProposalStarted, _style: Style) -> list[Line]:
    source = f"Comparing {clean(event.source)} with a replay of {count(event.versions, 'migration')}"
    return [Line(f"{source}, and proving the files, on a scratch PostgreSQL {event.server_version // _MAJOR} server", "dim")]


def _format_proposed(event: MigrationProposed, style: Style) -> list[Line]:
    lines = _list("⚠️  not checked: ", event.unchecked, "warn")
    if not event.files:
        lines.append(Line(f"✅ Nothing differs between the migrations and {clean(event.source)}. No file was written.", "good"))
        return [*lines, *format_left_out(event.left_out, style), *_format_kept(event)]
    changes = list(show_difference(event.changes))
    number = count(count_objects(changes) + len(event.renames) + len(event.details), "difference")
    lines.append(Line(f"{number} (+ wanted, - in the migrations)", "plain"))
    lines += _list(f"{INDENT}> ", map(clean, event.renames), "warn")
    lines += map(format_change, changes)
    lines += _list(f"{INDENT}~ ", map(clean, event.details), "plain")
    lines += format_left_out(event.left_out, style)
    lines += _format_kept(event)
    lines += _list("⚠️  loses data: ", map(clean, event.losses), "warn")
    lines += _format_risks(event.risks)
    lines += _list("⚠️  fails if rows do not fit: ", event.conditions, "warn")
    lines += _list("⚠️  cannot be rolled back: ", map(clean, event.irreversible), "warn")
    lines += _list("⚠️  without rows on scratch: ", map(clean, event.unfilled), "warn")
    return [*lines, *_format_proof(event)]


def _format_kept(event: MigrationProposed) -> Iterator[Line]:
    yield from _list(f"{INDENT}Order of columns in ", map(clean, event.orders), "dim")
    yield from _list(f"{INDENT}Left as it is, because no statement changes it: ", map(clean, event.kept), "dim")


def _format_risks(texts: Iterable[str]) -> Iterator[Line]:
    """Yield each risk once, with its statements, of which a terminal shows what fits into one line."""
    risks: dict[str, list[str]] = {}
    for reason, *statements in map(clean_lines, texts):
        risks.setdefault(reason, []).extend(statements)
    for reason, statements in risks.items():
        yield Line(f"⚠️  risk: {reason}", "warn")
        yield from (Line(f"{INDENT * 2}{statement}", "code") for statement in statements)


def _format_proof(event: MigrationProposed) -> list[Line]:
    ways = "up" if event.irreversible else "up, down and up again"
    tables = f"with rows in {count(event.tables, 'table')}" if event.tables else "in empty tables only"
    role: Role = "good" if event.tables or not (event.conditions or event.unfilled) else "warn"
    lines = [Line(f"{'✅' if role == 'good' else '⚠️ '} Proved on scratch: {ways}, {tables}", role)]
    proved, oldest = event.server_version // _MAJOR, event.oldest_version // _MAJOR
    if oldest != proved:
        lines.append(Line(f"{INDENT}Written for PostgreSQL {oldest} and later, proved on PostgreSQL {proved}", "dim"))
    return lines


def format_left_out(left_out: Difference, style: Style) -> Iterator[Line]:
    """Yield what the source cannot express: for each kind one line, with as many names as fit into it."""
    changes = sorted(left_out.changes, key=lambda change: change.key.kind)
    if changes:
        yield Line(f"{INDENT}Left as it is, because the source cannot express it:", "dim")
    for kind, group in groupby(changes, key=lambda change: change.key.kind):
        names = [clean(str(change.key).removeprefix(f"{kind} ")) for change in group]
        yield Line(_join_names(f"{INDENT}  {kind}: ", names, style.width), "dim")


def _join_names(first: str, names: Sequence[str], width: int) -> str:
    """Return a line with as many names as fit, at least one, and the number of the others."""
    joined = (
        f"{first}{', '.join(names[:shown])}{f' and {len(names) - shown} more' if shown < len(names) else ''}"
        for shown in range(min(len(names), width), 0, -1)
    )
    return next((line for line in joined if len(line) <= width), f"{first}{names[0]} and {len(names) - 1} more")


def _list(first: str, texts: Iterable[str], role: Role) -> list[Line]:
    return [line for text in texts for line in hang(first, text, role)]


def _format_created(event: MigrationsCreated, _style: Style) -> list[Line]:
    notes = _list(INDENT, event.notes, "dim")
    if len(event.migrations) == 1:
        (made,) = event.migrations
        head = Line(f"✅ Created {_name(made)}", "good")
        return [head, *(Line(f"{INDENT}{clean(path)}") for path in made.paths), *notes]
    folders = dict.fromkeys(clean(str(PurePath(path).parent)) for made in event.migrations for path in made.paths)
    head = Line(f"✅ Created {count(len(event.migrations), 'migration')} in {' and '.join(folders)}", "good")
    return [head, *(Line(f"{INDENT}{_name(made)}") for made in event.migrations), *notes]


def _name(made: CreatedMigration) -> str:
    return f"{clean(made.version)}{' (after deploy)' if made.after_deploy else ''}"
