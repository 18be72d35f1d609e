"""Old names of migrations: read from renames.toml, and applied to the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.errors import FilesError, Place
from tasks.runner.events import Finding
from tasks.runner.files.checkout import show_path
from tasks.runner.files.toml_lines import find_line
from tasks.runner.files.versions import describe_fault

if TYPE_CHECKING:
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.squashes import Squash

RENAMES_FILE = "renames.toml"
"""The file beside up/ and down/ that maps old names to versions."""

_HEAD = """\
# Old names of migrations: old name = version. A run renames the rows that a database has under the old names.
"""
_HEADERS_HEAD = """\
# Files that got a header when they were renamed: their SHA-256 before and after.
"""
_SUPERSEDED_HEAD = """\
# Superseded files, and why; they are kept in _superseded/.
"""
_SQUASHED_HEAD = """\
# Squashed versions. A database that has all of them has the squash applied, with this SHA-256, and runs nothing.
"""
_TABLES = ("renames", "headers", "superseded", "squashed")
_ENDINGS = (".sql", ".up")


@dataclass(frozen=True, slots=True)
class Renames:
    """The versions that old names mean now, and the checksums of files that got a header."""

    versions: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By old name: the checksum of the file before its header was written, and after."""
    superseded: Mapping[str, str] = field(default_factory=dict)
    """By old name: why the file was moved to _superseded/."""
    squashed: Mapping[str, Squash] = field(default_factory=dict)
    """By version: the versions that it replaced."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """By old name: its version before that was squashed."""

    def __bool__(self) -> bool:
        """Return True if a name was replaced."""
        return bool(self.versions or self.squashed or self.parts)


class Rename(NamedTuple):
    """A row of the ledger that is to get the current name of its version.

    `drops`: the row is deleted, because another row already has that name. `checksum`: the checksum to record instead of the
    one under the old name, empty to keep it. `squashed`: the version is a squash, so that the stored text is not its text.
    """

    recorded: str
    version: str
    drops: bool = False
    checksum: str = ""
    squashed: bool = False


def strip_ending(name: str) -> str:
    """Return a file's name without its endings, so that names with and without them are equal."""
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def read_renames(folder: Path, versions: Iterable[str]) -> Renames:
    """Read renames.toml of a migrations folder, with each old name resolved to a version that has a file; empty without it.

    Raises FilesError with a list of all problems.
    """
    path = folder / RENAMES_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Renames()
    except OSError as error:
        raise FilesError(f"{show_path(path)} cannot be read: {error.strerror}", ()) from error
    tables = _parse(data, show_path(path))
    shown = show_path(path)
    renames, problems = _check(tables, frozenset(versions), lambda name: _locate(data, shown, name))
    if problems:
        raise FilesError(
            f"{show_path(path)} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:",
            tuple(problems),
            hint='A line of [renames] is: "003_add_users" = "20250708090000_add_users". The version on the right needs a file.',
        )
    return renames


def read_targets(folder: Path) -> frozenset[str]:
    """Return the versions in renames.toml, whether they have a file or not; empty without it."""
    path = folder / RENAMES_FILE
    tables = _parse(path.read_bytes(), show_path(path)) if path.exists() else {}
    given, squashed = tables.get("renames", {}), tables.get("squashed", {})
    if not isinstance(given, dict) or not isinstance(squashed, dict):
        return frozenset()
    from tasks.runner.ledger.squashes import read_squashes

    named = {strip_ending(version) for version in given.values() if isinstance(version, str)}
    parts = {part for each in read_squashes(squashed, []).values() for part in each.versions}
    return frozenset((named | set(squashed)) - parts)


def write_renames(renames: Renames) -> str:
    """Return the text of renames.toml."""
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


def apply_renames(ledger: Ledger, renames: Renames) -> tuple[Ledger, tuple[Rename, ...]]:
    """Return the ledger as it will be under the current names, and the rows to rename."""
    if not renames:
        return ledger, ()
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
    """Return the version that each recorded name means now; a squashed one means the squash only if that is complete."""
    from tasks.runner.ledger.squashes import resolve_squashes

    names = {recorded: strip_ending(recorded) for recorded in ledger.checksums}
    parts = {recorded: renames.parts.get(name, renames.versions.get(name, recorded)) for recorded, name in names.items()}
    complete = resolve_squashes(parts.values(), renames.squashed).complete
    found: dict[str, str | None] = {}
    for recorded, name in names.items():
        is_part = name in renames.parts
        found[recorded] = complete.get(parts[recorded]) if is_part else renames.versions.get(name)
    return found


def find_renames(ledger: Ledger, renames: Renames, todo: Iterable[Rename]) -> list[Finding]:
    """Return findings: the rows that a run will rename, and refusals of old names under which an attempt is unfinished."""
    if not renames:
        return []
    from tasks.runner.ledger.squashes import find_partial, resolve_squashes

    renamed = list(todo)
    squashed = Counter(rename.version for rename in renamed if rename.version in renames.squashed)
    findings = [
        Finding(
            "renamed",
            rename.version,
            f"is also recorded as {rename.recorded}; a run drops that row"
            if rename.drops
            else f"is recorded as {rename.recorded}, its old name; a run renames that row",
        )
        for rename in renamed
        if rename.version not in squashed
    ]
    findings += [
        Finding("renamed", version, f"replaces {number} migrations that are applied; a run records it in their place")
        for version, number in squashed.items()
    ]
    names = [renames.parts.get(strip_ending(name), renames.versions.get(strip_ending(name), name)) for name in ledger.checksums]
    findings += find_partial(resolve_squashes(names, renames.squashed))
    findings += [
        Finding(
            "interrupted",
            recorded,
            f"is partly applied: {attempt.segments_done} of {attempt.segments_total} segments are committed; "
            f"it was then renamed to {renames.versions[strip_ending(recorded)]}",
            refuses=True,
            hint="Finish it from a checkout that has it under its old name; or revert it manually, then clear the "
            "attempt: inv db.repair",
        )
        for recorded, attempt in ledger.attempts.items()
        if attempt.interrupted and strip_ending(recorded) in renames.versions and attempt.action in ("migrate", "rollback")
    ]
    return findings


def filter_renames(todo: Iterable[Rename], ledger: Ledger) -> tuple[Rename, ...]:
    """Return the renames that another run has not done in the meantime."""
    left = (rename for rename in todo if rename.recorded in ledger.checksums)
    return tuple(rename._replace(drops=rename.drops or rename.version in ledger.checksums) for rename in left)


def _parse(data: bytes, shown: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FilesError(f"{shown} is not UTF-8", (), hint="Convert it to UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise FilesError(f"{shown} is not TOML: {error}", (), hint="See https://toml.io for the syntax.") from error


def _check(tables: dict[str, object], versions: frozenset[str], locate: Callable[[str], Place]) -> tuple[Renames, list[str]]:
    """Return the resolved old names, and the problems of the others; `locate` returns the file and line of a name."""
    from tasks.runner.ledger.squashes import read_squashes

    problems = [f"{key}: only the tables {_list_tables()} are allowed" for key in tables if key not in _TABLES]
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
    problems += (
        f"{locate(name)}: {name!r} is not the name of a migration: {fault}"
        for name in _list_versions(resolved.values(), squashes)
        if (fault := describe_fault(name))
    )
    pairs = _read_pairs(headers, named, problems)
    problems += [
        f"{old}: the reason in [superseded] must be a string" for old, why in superseded.items() if not isinstance(why, str)
    ]
    reasons = {strip_ending(old): str(why) for old, why in superseded.items()}
    parts = {old: part for old in known if (part := _find_part(old, known, part_of))} if not problems else {}
    return Renames(resolved, pairs, reasons, squashes, parts), problems


def _list_versions(resolved: Iterable[str], squashes: Mapping[str, Squash]) -> tuple[str, ...]:
    """Return the names in the file that are versions, and so the names of files."""
    parts = (part for version, squash in squashes.items() for part in (version, *squash.versions))
    return tuple(dict.fromkeys(name for name in (*resolved, *parts) if name))


def _locate(data: bytes, shown: str, name: str) -> Place:
    return Place(shown, find_line(data, lambda text: strip_ending(text) == strip_ending(name)))


def _find_part(old: str, known: Mapping[str, str], part_of: Mapping[str, str]) -> str:
    """Return the squashed version that an old name leads to, or an empty string."""
    while old in known and old not in part_of:
        old = known[old]
    return old if old in part_of else ""


def _read_names(given: Mapping[str, object], problems: list[str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for old, version in given.items():
        if not isinstance(version, str):
            problems.append(f"{old}: the version on the right must be a string in quotes")
        elif known.setdefault(strip_ending(old), strip_ending(version)) != strip_ending(version):
            problems.append(f"{old}: is renamed twice, to {known[strip_ending(old)]} and to {strip_ending(version)}")
    return known


def _read_pairs(headers: Mapping[str, object], known: Container[str], problems: list[str]) -> dict[str, tuple[str, str]]:
    pairs: dict[str, tuple[str, str]] = {}
    for old, pair in headers.items():
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(checksum, str) for checksum in pair):
            pairs[strip_ending(old)] = (pair[0], pair[1])
        else:
            problems.append(f"{old}: [headers] needs two checksums for each name, before and after")
        if strip_ending(old) not in known:
            problems.append(f"{old}: is in [headers], but not in [renames]")
    return pairs


def _list_tables() -> str:
    return ", ".join(f"[{key}]" for key in _TABLES)


def _resolve(old: str, known: Mapping[str, str], versions: frozenset[str]) -> tuple[str, str]:
    """Return the version with a file that an old name leads to, and the problem if there is none."""
    if old in versions:
        return "", "is the name of an existing file"
    if known[old] == old:
        return "", "is renamed to itself"
    seen = [old]
    while seen[-1] in known and seen[-1] not in versions:
        following = known[seen[-1]]
        if following in seen:
            return "", f"is renamed in a circle: {' → '.join([*seen, following])}"
        seen.append(following)
    if seen[-1] not in versions:
        return "", f"no file for {seen[-1]}"
    return seen[-1], ""


def _quote(text: str) -> str:
    """Return a TOML string, whose escapes are those of JSON.

    https://toml.io/en/v1.0.0#string
    """
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
