"""The messages of db.adopt."""

from __future__ import annotations

from tasks.adopt.events import AdoptionRead, AdoptionRow
from tasks.console.cells import clean, pad, width
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Role, Style, count, format_database, hang

_ROLES: dict[str, Role] = {"present": "good", "superseded": "dim", "absent": "plain", "partial": "warn", "cannot tell": "warn"}
_NAMED = 5


def register_messages() -> None:
    """Register the formatters of the events of an adoption."""
    register_formatters({AdoptionRead: _format_adoption})


def _format_adoption(event: AdoptionRead, style: Style) -> list[Line]:
    lines = [Line(f"{format_database(event.environment, event.database)}: {_sum_up(event)}", "head")]
    if event.elsewhere:
        schemas = f"schema{'s' if len(event.elsewhere) > 1 else ''} {', '.join(clean(name) for name in event.elsewhere)}"
        lines += hang("⚠️  ", f"search_path reaches no ledger, but {schemas} of this database has one", "warn")
    if event.empty:
        return [*lines, Line("✅ The database is empty: nothing to adopt. Create the schema with inv db.migrate", "good")]
    if event.unread:
        text = f"the version table of {clean(event.tool)} was not read ({clean(event.unread)}); only the schema decides"
        lines += hang("⚠️  ", text, "warn")
    elif event.tool:
        lines.append(Line(f"Found the version table of {clean(event.tool)}; it is compared with the schema", "dim"))
    lines += [Line(""), *_tabulate(event, style), Line("")]
    for row in event.rows:
        lines += _format_contradiction(row)
    for text in event.unmatched:
        lines += hang("⚠️  no matching migration: ", text, "warn")
    for row in event.rows:
        lines += _format_repeats(row)
    lines += _format_rest("not explained by any file", event.strangers, style)
    lines += _format_rest("missing or different from what the files create", event.lacking, style)
    if event.not_rehearsed:
        lines += hang("⚠️  ", f"what db.migrate will do was not rehearsed, because {event.not_rehearsed}", "warn")
    return [*lines, *_conclude(event)]


def _sum_up(event: AdoptionRead) -> str:
    kinds = [row.verdict for row in event.rows]
    parts = [f"{kinds.count(kind)} {kind}" for kind in _ROLES if kind in kinds]
    return f"{count(len(event.rows), 'migration')}: {', '.join(parts)}" if parts else "no migrations"


def _tabulate(event: AdoptionRead, style: Style) -> list[Line]:
    versions = max(width(clean(row.version)) for row in event.rows)
    verdicts = max(width(row.verdict) for row in event.rows)
    lines = []
    for row in event.rows:
        sign = "+" if row.proposed else "?" if row.undecided else " "
        head = f"{sign} {pad(clean(row.version), versions)}  {pad(row.verdict, verdicts)}  "
        role = _ROLES.get(row.verdict, "plain")
        text = clean(row.evidence) + (" (recorded)" if row.recorded else "")
        fits = width(head + text) <= style.width
        lines.append(Line(f"{head}{text}" if fits else head.rstrip(), role))
        lines += [] if fits else [Line(f"{INDENT}  {text}", role)]
        if style.verbose:
            lines += [Line(f"{INDENT}  found: {clean(name)}", "dim") for name in row.there]
            lines += [Line(f"{INDENT}  missing or different: {clean(name)}", "dim") for name in row.lacking]
        if row.following and (style.verbose or row.verdict == "partial" or row.repeats or "fail" in row.following):
            lines.append(Line(f"{INDENT}  {clean(row.following)}", "dim"))
    return lines


def _format_contradiction(row: AdoptionRow) -> list[Line]:
    if not row.contradicted:
        return []
    if row.claimed == "you":
        return hang("⚠️  ", f"{row.version}: your assumption contradicts the evidence: {row.verdict}, {row.evidence}", "warn")
    text = f"{row.version}: {row.claimed} recorded it as applied, but the schema contradicts that: {row.verdict}, {row.evidence}"
    return hang("❌ ", text, "bad")


def _format_repeats(row: AdoptionRow) -> list[Line]:
    """Return the warning that a migration may insert rows a second time."""
    if not row.repeats:
        return []
    text = (
        f"{row.version} inserts rows that may exist already: {', '.join(clean(each) for each in row.repeats)}. "
        f"Look at the tables before db.migrate runs it, or record it as applied: --assume-present {row.version}"
    )
    return hang("⚠️  ", text, "warn")


def _format_rest(what: str, names: tuple[str, ...], style: Style) -> list[Line]:
    if not names:
        return []
    shown = names if style.verbose else names[:_NAMED]
    rest = f" and {len(names) - len(shown)} more (--verbose)" if len(names) > len(shown) else ""
    return hang(f"⚠️  {what}: ", f"{', '.join(clean(name) for name in shown)}{rest}", "warn")


def _conclude(event: AdoptionRead) -> list[Line]:
    proposed = [row for row in event.rows if row.proposed]
    undecided = [row.version for row in event.rows if row.undecided]
    lines = []
    if event.proved:
        having = sum(row.recorded or row.proposed for row in event.rows)
        lines.append(Line(f"✅ Proved: replaying these {having} on an empty database results in exactly this schema", "good"))
    if undecided:
        lines += hang("❓ ", f"Not decided by the schema: {', '.join(undecided[:_NAMED])}. Decide with", "warn")
        lines.append(Line(f"{INDENT}--assume-present VERSION or --assume-absent VERSION", "warn"))
    if not proposed:
        lacks = "" if event.has_ledger else "; the database has no ledger: --apply creates an empty one"
        return [*lines, Line(f"✅ Nothing to record{lacks}", "good")]
    return [*lines, Line(f"+ {count(len(proposed), 'migration')} to be recorded as applied; --apply records them", "head")]
