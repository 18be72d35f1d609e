"""The files of a checkout: names, folders and checksums, read as values."""

from __future__ import annotations

import codecs
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.runner.errors import FilesError, Place
from tasks.runner.files.checksums import read_checksums
from tasks.runner.files.versions import describe_fault

_SEED_PATTERN = re.compile(r"\d{3,}_[A-Za-z0-9_-]+")
_BESIDE_FOLDERS = {"schema.sql"}
"""Files that this tool keeps beside up/ and down/."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Hold a file's text as it was read, with the checksum of exactly these bytes."""

    path: Path
    shown: str
    text: str
    checksum: str


@dataclass(frozen=True, slots=True)
class Migrations:
    """Hold the migrations of a folder: checksums of the up files by version, and which have a down file."""

    folder: Path
    flat: bool
    checksums: Mapping[str, str]
    downs: frozenset[str]

    def up_path(self, version: str) -> Path:
        """Name the up file of a version."""
        return Path(self.folder, "" if self.flat else "up", f"{version}.sql")

    def down_path(self, version: str) -> Path:
        """Name the down file of a version, whether it is there or not."""
        return Path(self.folder, "down", f"{version}.sql")


def read_migrations(folder: Path) -> Migrations:
    """Read a migrations folder: up/ and down/, or a flat folder of up files without downs.

    Raises FilesError that lists all offenders at once: names that are no version, equal timestamps, downs without an up,
    directories and broken links that are named like migrations, files that cannot be read.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where the way there is closed
        raise FilesError(
            f"there is no migrations folder {show_path(folder)}",
            (),
            hint="Run this from the project's folder, or set MIGRATIONS_DIR.",
        )
    flat = not os.path.lexists(folder / "up") and not os.path.lexists(folder / "down")
    up_folder = folder if flat else folder / "up"
    ups, problems = _list_files(up_folder)
    downs: dict[str, os.DirEntry[str]] = {}
    if not flat:
        downs, down_problems = _list_files(folder / "down", good=ups)
        problems += down_problems + _find_strays(folder) + _find_lone_downs(folder, ups, downs)
    problems += _find_equal_timestamps(ups)
    if problems:
        raise FilesError(
            f"{show_path(folder)} holds {len(problems)} thing{'s' if len(problems) > 1 else ''} that a run cannot use:",
            tuple(problems),
            hint="Migrations are named YYYYMMDDHHMMSS_description.sql, the same in up/ and down/. "
            "Names that begin with _ are left out.",
        )
    checksums, unreadable = read_checksums(up_folder, ups)
    if unreadable:
        problems = [f"{show_path(up_folder)}/{problem}" for problem in unreadable]
        raise FilesError("these files cannot be read:", tuple(problems), hint="Check their permissions.")
    stems = frozenset(name[: -len(".sql")] for name in downs)
    return Migrations(folder, flat, {name[: -len(".sql")]: checksum for name, checksum in checksums.items()}, stems)


def read_seed_files(folder: Path) -> tuple[SourceFile, ...]:
    """Read the seeds of a folder in the order of their names; an absent folder holds none."""
    if not os.path.lexists(folder):
        return ()
    files, problems = _list_files(folder, _describe_seed_fault)
    if problems:
        raise FilesError(
            f"{show_path(folder)} holds {len(problems)} thing{'s' if len(problems) > 1 else ''} that is no seed:",
            tuple(problems),
            hint="Seeds are named NNN_description.sql, for example 001_users.sql. Names that begin with _ are left out.",
        )
    return tuple(read_source(folder / name) for name in sorted(files))


def read_source(path: Path) -> SourceFile:
    """Read a file as UTF-8 text; raises FilesError for bytes that no migration can hold."""
    shown = show_path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FilesError(f"{shown} cannot be read: {error.strerror}", (), place=Place(shown)) from error
    return SourceFile(path, shown, decode_source(data, shown), hashlib.sha256(data).hexdigest())


def decode_source(data: bytes, shown: str) -> str:
    """Decode a file's bytes, which must be UTF-8 without NUL."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FilesError(
            f"{shown}:{line} is not UTF-8: byte 0x{data[error.start]:02x}",
            (),
            hint=f"Convert it, for example: iconv -f {_guess_encoding(data)} -t utf-8 {shown} > converted.sql",
            place=Place(shown, line),
        ) from error
    nul = text.find("\0")
    if nul >= 0:
        line = text.count("\n", 0, nul) + 1
        raise FilesError(
            f"{shown}:{line} holds a NUL byte, which PostgreSQL cannot take",
            (),
            hint="Is it UTF-16, or no text at all? Save it as UTF-8.",
            place=Place(shown, line),
        )
    return text


def _guess_encoding(data: bytes) -> str:
    return "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "latin1"


def show_path(path: Path) -> str:
    """Write a path relative to the working directory where that is shorter to read."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118 - a thousand Path objects take longer than reading their files
    absolute = os.path.abspath(path)  # noqa: PTH100 - a link is shown by its own name
    return absolute.removeprefix(here) if absolute.startswith(here) else str(path)


def _list_files(
    folder: Path, describe: Callable[[str], str | None] = describe_fault, good: Container[str] = ()
) -> tuple[dict[str, os.DirEntry[str]], list[str]]:
    """List the files of one folder, and say what is wrong with the others.

    `describe` says which rule a name without its ending breaks; the names in `good` are known to break none.
    """
    files: dict[str, os.DirEntry[str]] = {}
    entries, problems = _scan(folder)
    for entry in entries:
        name = entry.name
        fault = None if name in good else describe(name[: -len(".sql")])
        if fault is None and not name.endswith(".sql"):
            fault = "the ending must be .sql in lower case"
        try:
            if fault is None and not entry.is_file():
                fault = "is a directory" if entry.is_dir() else "is a broken link" if entry.is_symlink() else "is no file"
            if fault is None:
                files[name] = entry
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault is not None:
            problems.append(f"{show_path(folder)}/{_show_name(name)}: {fault}")
    return files, sorted(problems)


def _scan(folder: Path) -> tuple[list[os.DirEntry[str]], list[str]]:
    """List what a folder holds that is named as SQL, and say why it cannot be listed; a missing folder holds nothing."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[-4:].lower() == ".sql" and entry.name[0] not in "_."], []
    except FileNotFoundError:
        return [], [f"{show_path(folder)}: is a broken link"] if folder.is_symlink() else []
    except OSError as error:
        return [], [f"{show_path(folder)}: cannot be read: {error.strerror}"]


def _show_name(name: str) -> str:
    """Write a name so that it stays on its line and each of its characters can be seen."""
    return name if name.isprintable() else repr(name)[1:-1]


def _describe_seed_fault(stem: str) -> str | None:
    return None if _SEED_PATTERN.fullmatch(stem) else "seeds are named NNN_description.sql"


def _find_strays(folder: Path) -> list[str]:
    entries, problems = _scan(folder)
    return problems + [
        f"{show_path(folder)}/{_show_name(name)}: stands beside up/ and would never run; move it to up/"
        for name in sorted(entry.name for entry in entries)
        if name not in _BESIDE_FOLDERS
    ]


def _find_lone_downs(folder: Path, ups: Mapping[str, object], downs: Mapping[str, object]) -> list[str]:
    return [f"{show_path(folder)}/down/{name}: has no up/{name}" for name in sorted(downs.keys() - ups.keys())]


def _find_equal_timestamps(names: Collection[str]) -> list[str]:
    """Name the files that share a timestamp, so that their order would be left to their descriptions."""
    if len({name[:14] for name in names}) == len(names):
        return []
    ordered = sorted(names)
    groups: dict[str, list[str]] = {}
    for before, name in itertools.pairwise(ordered):
        if before[:14] == name[:14]:
            groups.setdefault(name[:14], [before]).append(name)
    return [f"{', '.join(group)}: equal timestamps; give one of them a later one" for group in groups.values()]
