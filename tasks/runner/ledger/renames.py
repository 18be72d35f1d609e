"""Names that migrations had before: read from renames.toml, and applied to what the database remembers."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from tasks.runner.errors import FilesError
from tasks.runner.events import Finding
from tasks.runner.files.checkout import Migrations, show_path
from tasks.runner.ledger.reading import Ledger, read_ledger
from tasks.runner.ledger.squashes import Squash, find_partial, read_squashes, resolve_squashes

RENAMES_FILE = "renames.toml"
"""The file beside up/ and down/ that tells which version an old name is now."""

_HEAD = """\
# What migrations were called before: old name = version. By this, a database that knows the old names renames its rows.
"""
_HEADERS_HEAD = """\
# Files that were given a header when they were renamed: their SHA-256 before and after.
"""
_SUPERSEDED_HEAD = """\
# Files that no longer count, and why; they are kept in _superseded/.
"""
_SQUASHED_HEAD = """\
# Versions that became one. A database that has them all has that one, with this SHA-256, and runs nothing.
"""
_TABLES = ("renames", "headers", "superseded", "squashed")
_ENDINGS = (".sql", ".up")


@dataclass(frozen=True, slots=True)
class Renames:
    """Hold the version that each old name means now, and the checksums of files that were given a header meanwhile."""

    versions: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By old name: the checksum of the file before its header was written, and after."""
    superseded: Mapping[str, str] = field(default_factory=dict)
    """By old name: why the file went to _superseded/."""
    squashed: Mapping[str, Squash] = field(default_factory=dict)
    """By version: those that became it."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """By old name: the version it was before that became part of another."""


@dataclass(frozen=True, slots=True)
class Rename:
    """Describe one row of the ledger that is to get its version's name of today.

    `drops` says that the row goes, because another row has that name already. `checksum` is what to record instead of the
    checksum under the old name, empty to leave it. `squashed` says that the version is more than what was recorded, so that the
    text which was stored is not its text.
    """

    recorded: str
    version: str
    drops: bool = False
    checksum: str = ""
    squashed: bool = False


def strip_ending(name: str) -> str:
    """Take the endings off a file's name, so that a name with them and one without are the same."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def read_renames(folder: Path, versions: Iterable[str]) -> Renames:
    """Read renames.toml of a migrations folder, each old name resolved to a version that has a file; without the file, none.

    Raises FilesError that lists all mistakes at once.
    """
    path = folder / RENAMES_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Renames()
    except OSError as error:
        raise FilesError(f"{show_path(path)} cannot be read: {error.strerror}", ()) from error
    tables = _parse(data, show_path(path))
    renames, problems = _check(tables, frozenset(versions))
    if problems:
        raise FilesError(
            f"{show_path(path)} holds {len(problems)} thing{'s' if len(problems) > 1 else ''} that a run cannot use:",
            tuple(problems),
            hint='A line of [renames] is: "003_add_users" = "20250708090000_add_users", and the version on the right has a file.',
        )
    return renames


def read_targets(folder: Path) -> frozenset[str]:
    """List the versions that renames.toml names, whether they have a file or not; without the file, none."""
    path = folder / RENAMES_FILE
    tables = _parse(path.read_bytes(), show_path(path)) if path.exists() else {}
    given, squashed = tables.get("renames", {}), tables.get("squashed", {})
    named = (
        {strip_ending(version) for version in given.values() if isinstance(version, str)} if isinstance(given, dict) else set()
    )
    parts = {part for each in squashed.values() for part in each.get("versions", ())} if isinstance(squashed, dict) else set()
    return frozenset(named - parts | (set(squashed) - parts if isinstance(squashed, dict) else set()))


def write_renames(renames: Renames) -> str:
    """Give the text of renames.toml."""
    lines = [_HEAD, "[renames]\n"]
    parts = {part for squash in renames.squashed.values() for part in squash.versions}
    named = {old: renames.parts.get(old, version) for old, version in renames.versions.items() if old not in parts}
    lines += [f"{_quote(old)} = {_quote(version)}\n" for old, version in named.items()]
    if renames.headers:
        lines += ["\n", _HEADERS_HEAD, "[headers]\n"]
        lines += [f"{_quote(old)} = [{_quote(was)}, {_quote(now)}]\n" for old, (was, now) in renames.headers.items()]
    if renames.superseded:
        lines += ["\n", _SUPERSEDED_HEAD, "[superseded]\n"]
        lines += [f"{_quote(old)} = {_quote(reason)}\n" for old, reason in renames.superseded.items()]
    for version, squash in renames.squashed.items():
        lines += ["\n", _SQUASHED_HEAD, f"[squashed.{_quote(version)}]\nchecksum = {_quote(squash.checksum)}\nversions = [\n"]
        lines += [*(f"    {_quote(part)},\n" for part in squash.versions), "]\n"]
    return "".join(lines)


def read_renamed_ledger(
    connection: psycopg.Connection, migrations: Migrations
) -> tuple[Ledger, tuple[Rename, ...], list[Finding]]:
    """Read the ledger under the names of today; gives also the rows that a run has to rename, and what is to be said of them."""
    renames = read_renames(migrations.folder, migrations.checksums)
    recorded = read_ledger(connection)
    ledger, todo = apply_renames(recorded, renames)
    return ledger, todo, find_renames(recorded, renames, todo)


def apply_renames(ledger: Ledger, renames: Renames) -> tuple[Ledger, tuple[Rename, ...]]:
    """Give the ledger as it will be under the names of today, and the rows to rename. Pure."""
    found = _find_versions(ledger, renames)
    if not any(found.values()):
        return ledger, ()
    todo: list[Rename] = []
    checksums: dict[str, str | None] = {}
    old_names: dict[str, str] = {}
    for recorded, checksum in ledger.checksums.items():
        version = found[recorded]
        if version is None or version == recorded:
            checksums[recorded] = checksum
        elif version in ledger.checksums or version in checksums:
            todo.append(Rename(recorded, version, drops=True))
        else:
            was, now = renames.headers.get(strip_ending(recorded), ("", ""))
            fresh = now if checksum == was else ""
            squash = renames.squashed.get(version)
            if squash:
                fresh = squash.checksum
            todo.append(Rename(recorded, version, checksum=fresh, squashed=squash is not None))
            checksums[version] = fresh or checksum
            old_names[version] = recorded
    return replace(ledger, checksums=checksums, old_names=old_names), tuple(todo)


def _find_versions(ledger: Ledger, renames: Renames) -> dict[str, str | None]:
    """Give what each recorded name means now: what became part of another only where all of that is there."""
    names = {recorded: strip_ending(recorded) for recorded in ledger.checksums}
    parts = {recorded: renames.parts.get(name, renames.versions.get(name, recorded)) for recorded, name in names.items()}
    wholes = resolve_squashes(parts.values(), renames.squashed).wholes
    found: dict[str, str | None] = {}
    for recorded, name in names.items():
        is_part = name in renames.parts
        found[recorded] = wholes.get(parts[recorded]) if is_part else renames.versions.get(name)
    return found


def find_renames(ledger: Ledger, renames: Renames, todo: Iterable[Rename]) -> list[Finding]:
    """Name the rows that a run will rename, and refuse an old name under which an attempt is half done. Pure."""
    findings = [
        Finding(
            "renamed",
            rename.version,
            f"is recorded as {rename.recorded} as well: a run drops that row"
            if rename.drops
            else f"is recorded as {rename.recorded}, its name before: a run renames that row",
        )
        for rename in todo
    ]
    names = [renames.parts.get(strip_ending(name), renames.versions.get(strip_ending(name), name)) for name in ledger.checksums]
    findings += find_partial(resolve_squashes(names, renames.squashed))
    findings += [
        Finding(
            "interrupted",
            recorded,
            f"is half applied: {attempt.segments_done} of {attempt.segments_total} segments are in the database; "
            f"it was renamed to {renames.versions[strip_ending(recorded)]} since",
            refuses=True,
            hint="Finish it from the checkout that has it under its old name; or undo by hand what it did and forget the "
            "attempt: inv db.repair",
        )
        for recorded, attempt in ledger.attempts.items()
        if attempt.interrupted and strip_ending(recorded) in renames.versions and attempt.action in ("migrate", "rollback")
    ]
    return findings


def renew_renames(todo: Iterable[Rename], ledger: Ledger) -> tuple[Rename, ...]:
    """Leave out what another run renamed meanwhile. Pure."""
    left = (rename for rename in todo if rename.recorded in ledger.checksums)
    return tuple(replace(rename, drops=rename.drops or rename.version in ledger.checksums) for rename in left)


def _parse(data: bytes, shown: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FilesError(f"{shown} is not UTF-8", (), hint="Convert it to UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise FilesError(f"{shown} is not TOML: {error}", (), hint="https://toml.io says how a line must look.") from error


def _check(tables: dict[str, object], versions: frozenset[str]) -> tuple[Renames, list[str]]:
    """Resolve each old name, and say what is wrong with the others."""
    problems = [f"{key}: only {_list_tables()} may stand here" for key in tables if key not in _TABLES]
    given, headers, superseded, squashed = (tables.get(key, {}) for key in _TABLES)
    if not (
        isinstance(given, dict) and isinstance(headers, dict) and isinstance(superseded, dict) and isinstance(squashed, dict)
    ):
        return Renames(), [*problems, f"{', '.join(_TABLES)} must be tables: {_list_tables()}"]
    named = _read_names(given, problems)
    squashes = read_squashes(squashed, problems)
    part_of = {part: version for version, squash in squashes.items() for part in squash.versions}
    known = {**named, **part_of}
    resolved: dict[str, str] = {}
    for old in known:
        version, problem = _resolve(old, known, versions)
        if problem:
            problems.append(f"{old}: {problem}")
        resolved[old] = version
    pairs = _read_pairs(headers, named, problems)
    problems += [f"{old}: the reason in [superseded] must be text" for old, why in superseded.items() if not isinstance(why, str)]
    reasons = {strip_ending(old): str(why) for old, why in superseded.items()}
    parts = {old: part for old in known if (part := _find_part(old, known, part_of))} if not problems else {}
    return Renames(resolved, pairs, reasons, squashes, parts), problems


def _find_part(old: str, known: Mapping[str, str], part_of: Mapping[str, str]) -> str:
    """Follow an old name to the version that became part of another, if it leads there."""
    while old in known and old not in part_of:
        old = known[old]
    return old if old in part_of else ""


def _read_names(given: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for old, version in given.items():
        if not isinstance(version, str):
            problems.append(f"{old}: the version on the right must be text in quotes")
        elif known.setdefault(strip_ending(old), strip_ending(version)) != strip_ending(version):
            problems.append(f"{old}: is renamed twice, to {known[strip_ending(old)]} and to {strip_ending(version)}")
    return known


def _read_pairs(headers: Mapping[str, object], known: Container[str], problems: list[str]) -> dict[str, tuple[str, str]]:
    pairs: dict[str, tuple[str, str]] = {}
    for old, pair in headers.items():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(checksum, str) for checksum in pair):
            pairs[strip_ending(old)] = (pair[0], pair[1])
        else:
            problems.append(f"{old}: [headers] holds two checksums for each name, before and after")
        if strip_ending(old) not in known:
            problems.append(f"{old}: stands in [headers] and not in [renames]")
    return pairs


def _list_tables() -> str:
    return ", ".join(f"[{key}]" for key in _TABLES)


def _resolve(old: str, known: Mapping[str, str], versions: frozenset[str]) -> tuple[str, str]:
    """Follow an old name to the version that has a file, or say why there is none."""
    if old in versions:
        return "", "is the name of a file that is there"
    if known[old] == old:
        return "", "is renamed to itself"
    seen = [old]
    while seen[-1] in known and seen[-1] not in versions:
        following = known[seen[-1]]
        if following in seen:
            return "", f"is renamed in a circle: {' → '.join([*seen, following])}"
        seen.append(following)
    if seen[-1] not in versions:
        return "", f"there is no file for {seen[-1]}"
    return seen[-1], ""


def _quote(text: str) -> str:
    """Write a TOML string, whose escapes are those of JSON.

    https://toml.io/en/v1.0.0#string
    """
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
