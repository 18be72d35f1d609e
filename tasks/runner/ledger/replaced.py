"""Names that a squash or a clean-up replaced: the ledger keeps them, so that an older checkout sees them as applied.

They are a key of schema_migrations_meta, and not a table: older versions of this tool ignore a key, but report a new table as
drift, and a role that may read the ledger may read it too.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import psycopg
from psycopg import sql

from tasks.runner.errors import RefusedError
from tasks.runner.events import Finding
from tasks.runner.ledger.guard import write_guarded
from tasks.runner.ledger.renames import Rename, strip_ending

if TYPE_CHECKING:
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.renames import Renames

REPLACED_KEY = "replaced"
"""The key of schema_migrations_meta."""
_UPSERT = "INSERT INTO {} (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Replacement(NamedTuple):
    """An old name of a migration, and the version that replaced it.

    `checksum` is that of the file under the old name: an empty string if renaming did not change it, None if it is unknown.
    """

    old: str
    version: str
    squashed: bool
    checksum: str | None = None


def list_replacements(renames: Renames) -> tuple[Replacement, ...]:
    """Return the names that the files of a checkout replaced, each with the version that replaced it first."""
    parts = [Replacement(part, version, True) for version, squash in renames.squashed.items() for part in squash.versions]
    known = {each.old for each in parts}
    renamed = [
        Replacement(old, renames.parts.get(old, version), False, renames.headers.get(old, ("", ""))[0])
        for old, version in renames.versions.items()
        if old not in known
    ]
    return (*parts, *renamed)


def record_replacements(connection: psycopg.Connection, ledger: Ledger, replacements: Iterable[Replacement]) -> Ledger:
    """Add names to those that the ledger keeps, and return the ledger with them; the caller has the lock."""
    text = add_replacements(ledger, replacements)
    if text == ledger.replaced:
        return ledger
    query = sql.SQL(_UPSERT).format(ledger.table("_meta"))
    write_guarded(connection, ledger.schema, ["schema_migrations_meta"], query, [REPLACED_KEY, text])
    return replace(ledger, replaced=text)


def add_replacements(ledger: Ledger, replacements: Iterable[Replacement]) -> str:
    """Return the names that the ledger keeps, as it stores them, with further ones."""
    known = {(each.old, each.version): each for each in parse_replaced(ledger.replaced)}
    new = {(each.old, each.version): each for each in replacements if (each.old, each.version) not in known}
    if not new:
        return ledger.replaced
    rows = [[each.old, each.version, each.squashed, each.checksum] for each in (known | new).values()]
    return json.dumps(rows)  # in ASCII, whatever the encoding of the database


def parse_replaced(text: str) -> tuple[Replacement, ...]:
    """Return what `record_replacements` wrote; raises RefusedError for any other text."""
    try:
        rows = json.loads(text or "[]")
        return tuple(
            Replacement(str(old), str(version), bool(squashed), checksum) for old, version, squashed, checksum, *_ in rows
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise RefusedError(
            "the key `replaced` of schema_migrations_meta cannot be read: it was changed outside this tool",
            hint="DELETE FROM schema_migrations_meta WHERE key = 'replaced';\n"
            "The next run records it again, from the log and from renames.toml.",
            state="Nothing was changed.",
        ) from error


def apply_replaced(ledger: Ledger, versions: Collection[str]) -> Ledger:
    """Return the ledger as a checkout with these versions sees it.

    A version that is not recorded counts as applied if one is recorded that replaced it. Versions that a squash absorbed come
    before the squash. A renamed version takes the place of its newer name, unless the checkout has that too.
    """
    if not ledger.replaced:
        return ledger
    files = frozenset(versions)
    by_old: dict[str, list[Replacement]] = defaultdict(list)
    for each in parse_replaced(ledger.replaced):
        by_old[strip_ending(each.old)].append(each)
    found: dict[str, list[Replacement]] = defaultdict(list)
    for version in sorted(files - ledger.checksums.keys()):
        path = _find_path(version, by_old, ledger.checksums)
        if path:
            squashed = any(each.squashed for each in path)
            found[path[-1].version].append(Replacement(version, path[-1].version, squashed, path[0].checksum))
    if not found:
        return ledger
    checksums: dict[str, str | None] = {}
    absorbed: dict[str, str] = {}
    newer_names: dict[str, str] = {}
    for recorded, checksum in ledger.checksums.items():
        replacements = found.get(recorded, [])
        renamed = [each for each in replacements if not each.squashed and recorded not in files]
        for each in replacements:
            if each in renamed[:1]:
                newer_names[each.old] = ledger.recorded_name(recorded)
                checksums[each.old] = checksum if each.checksum == "" else each.checksum
            else:
                absorbed[each.old] = recorded
                checksums[each.old] = None
        if not renamed:
            checksums[recorded] = checksum
    return replace(ledger, checksums=checksums, absorbed=absorbed, newer_names=newer_names)


def _find_path(name: str, by_old: Mapping[str, list[Replacement]], recorded: Mapping[str, object]) -> tuple[Replacement, ...]:
    """Return the replacements that lead from a name to a recorded version, empty if none do."""
    paths: list[tuple[Replacement, ...]] = [()]
    seen = {name}
    for path in paths:
        for each in by_old.get(strip_ending(path[-1].version if path else name), ()):
            if each.version in recorded:
                return (*path, each)
            if each.version not in seen:
                seen.add(each.version)
                paths.append((*path, each))
    return ()


def find_newer_names(ledger: Ledger) -> Iterator[Finding]:
    """Yield findings for the versions of an older checkout that the database records under newer names."""
    for version, newer in ledger.newer_names.items():
        message = f"is recorded as {newer}, its newer name: this checkout is older than the database"
        yield Finding("renamed", version, message)


def explain_older_checkout(findings: Iterable[Finding], ledger: Ledger) -> list[Finding]:
    """Return findings with what they have in common: missing versions beside late files mean that the checkout is older."""
    known = list(findings)
    lacking = [finding.version for finding in known if finding.kind == "missing"]
    return [_explain(finding, lacking, ledger) for finding in known]


def _explain(finding: Finding, lacking: list[str], ledger: Ledger) -> Finding:
    parts = [version for version, squash in ledger.absorbed.items() if squash == finding.version]
    if finding.kind == "missing" and parts:
        return replace(
            finding,
            message=f"replaced {', '.join(parts)}, which count as applied: this checkout is older than the squash",
            hint="git pull",
        )
    if finding.kind == "late" and lacking:
        others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        older = f"This checkout may be older than the database: it has no file for {lacking[0]}{others}. Run git pull first."
        return replace(finding, hint="\n".join(filter(None, (older, finding.hint))))
    return finding


def refuse_replaced(ledger: Ledger, versions: Iterable[str]) -> list[Finding]:
    """Return refusals of a rollback of versions that a squash absorbed, or of a squash that this checkout does not have."""
    parts: dict[str, list[str]] = defaultdict(list)
    for version, squash in ledger.absorbed.items():
        parts[squash].append(version)
    findings = []
    for version in versions:
        squash = ledger.absorbed.get(version, version)
        if squash in parts:
            message = f"was absorbed by {squash}, and cannot be rolled back alone"
            if version == squash:
                message = f"replaced {', '.join(parts[squash])}, and this checkout has no file for it"
            hint = f"Check out a revision that has {squash}, then run the command again there."
            findings.append(Finding("missing", version, message, refuses=True, hint=hint))
    return findings


def rename_back(ledger: Ledger, versions: Iterable[str]) -> tuple[Rename, ...]:
    """Return the renames of rows to the older names of this checkout, so that it can roll these versions back."""
    names = ledger.newer_names
    return tuple(Rename(names[each], each, checksum=ledger.checksums[each] or "") for each in versions if each in names)
