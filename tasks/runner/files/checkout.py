"""The migration and seed files of a checkout, read as values."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tasks.postgres.section_words import may_have_marks, may_have_marks_in
from tasks.runner.errors import FilesError, Place, RefusedError
from tasks.runner.events import AFTER_DEPLOY
from tasks.runner.files.checksums import combine_checksums, list_checksums
from tasks.runner.files.versions import describe_fault, path_of

if TYPE_CHECKING:
    from tasks.runner.parsing.large.text import LargeText

_BLOCK = 64 * 1024
_LONGEST_WORD = 16
_AFTER_DEPLOY = AFTER_DEPLOY.encode()
_BESIDE_FOLDERS = {"schema.sql"}
"""Files of this tool beside up/ and down/."""


class SourceFile(NamedTuple):
    """The text of a file, with the checksum of the same bytes, and notes about its encoding.

    `same` are the checksums that it has with other line ends, or with a byte order mark.
    """

    path: Path
    shown: str
    content: str | LargeText
    """The text; of a large file, what reads it."""
    checksum: str
    same: frozenset[str] | None = frozenset()
    """None if they are computed when they are needed."""
    notes: tuple[str, ...] = ()
    environment: str = ""
    """The environment that a seed is for; empty for a seed of every environment."""
    size: int = 0
    """The number of the file's bytes."""

    @property
    def text(self) -> str:
        """Return the text, which is read now if the file is large."""
        return self.content if isinstance(self.content, str) else self.content.load()

    @property
    def name(self) -> str:
        """Return the name under which the ledger records a seed."""
        return f"{self.environment}/{self.path.stem}" if self.environment else self.path.stem

    def matches(self, checksum: str) -> bool:
        """Return True if a checksum is that of the file, but for line ends or a byte order mark."""
        if checksum == self.checksum:
            return True
        same = self.same
        if same is None and not isinstance(self.content, str):
            same = combine_checksums(self.content.read_blocks(0, self.content.size))
        return checksum in (same or ())


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of a folder: checksums of the up files by version, and the versions that have a down file."""

    folder: Path
    flat: bool
    checksums: Mapping[str, str]
    downs: frozenset[str]
    both_directions: Mapping[str, str] = field(default_factory=dict)
    """The up files that another tool's marks divide into up and down: by version, where the down section begins."""
    after_deploy: frozenset[str] = frozenset()
    """The versions that are marked to run when the application of before is gone."""

    @property
    def up_folder(self) -> Path:
        """Return the folder of the up files."""
        return self.folder if self.flat else self.folder / "up"

    @property
    def down_folder(self) -> Path:
        """Return the folder of the down files, which may not exist."""
        return self.folder / "down"

    def up_path(self, version: str) -> Path:
        """Return the path of the up file of a version; raises RefusedError for a text that is not a version."""
        return path_of(self.up_folder, version)

    def down_path(self, version: str) -> Path:
        """Return the path of the down file of a version, which may not exist; raises RefusedError as `up_path` does."""
        return path_of(self.down_folder, version)

    def matches(self, version: str, checksum: str) -> bool:
        """Return True if a checksum, or its beginning, is that of the up file, but for line ends or a byte order mark.

        The file is read only if the checksum is another one. One that was edited since its own checksum was read does not match.
        """
        if version not in self.checksums or not checksum:
            return False
        if self.checksums[version].startswith(checksum):
            return True
        try:
            with self.up_path(version).open("rb") as file:
                variants = combine_checksums(iter(partial(file.read, _BLOCK), b""))
        except (OSError, RefusedError):
            return False
        return self.checksums[version] in variants and any(each.startswith(checksum) for each in variants)


def read_migrations(folder: Path) -> Migrations:
    """Read a migrations folder: up/ and down/, or a flat folder of up files without down files.

    Raises FilesError that lists all problems at once: names that are not versions, equal timestamps, down files without an up
    file, directories and broken links with names of migrations, files that cannot be read.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises if a parent folder cannot be searched
        raise FilesError(
            f"there is no migrations folder {show_path(folder)}",
            (),
            hint="Run this from the project's folder, or set MIGRATIONS_DIR.",
        )
    flat = not os.path.lexists(folder / "up") and not os.path.lexists(folder / "down")
    up_folder = folder if flat else folder / "up"
    ups, problems = list_sql_files(up_folder)
    downs: dict[str, os.DirEntry[str]] = {}
    if not flat:
        downs, down_problems = list_sql_files(folder / "down", good=ups)
        problems += down_problems + _find_strays(folder) + _find_lone_downs(folder, ups, downs)
    problems += _find_equal_timestamps(ups)
    if problems:
        raise FilesError(
            f"{len(problems)} file{'s' if len(problems) > 1 else ''} in {show_path(folder)} cannot be used:",
            tuple(problems),
            hint="Migrations are named YYYYMMDDHHMMSS_description.sql, the same in up/ and down/. "
            "Names that begin with _ are ignored. Names of other tools become versions by: inv db.cleanup-legacy",
        )
    marked: set[str] = set()
    checksums = read_checksums(up_folder, ups, marked)
    stems = frozenset(name[: -len(".sql")] for name in downs)
    versions = {name[: -len(".sql")]: checksum for name, checksum in checksums.items()}
    sources = dict(_read_marked(up_folder, marked))
    after_deploy = frozenset(version for version, source in sources.items() if _runs_after_deploy(source))
    return Migrations(folder, flat, versions, stems, find_both_directions(sources), after_deploy)


def read_checksums(folder: Path, names: Collection[str], marked: set[str] | None = None) -> dict[str, str]:
    """Return the SHA-256 checksums of files of a folder, sorted by name.

    Those that may have section marks of another tool, or the directive after-deploy, are added to `marked`.

    Raises FilesError that lists all files that cannot be read.
    """
    if not names:
        return {}  # the folder may be missing
    checksums: dict[str, str] = {}
    problems: list[str] = []
    # Ten thousand Path objects and buffered files take three times as long as the system calls (python -m benchmarks checksums).
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        for name in sorted(names):
            try:
                checksums[name], has_marks = _hash_file(name, descriptor)
            except OSError as error:
                problems.append(f"{show_path(folder)}/{name}: {error.strerror}")
                continue
            if has_marks and marked is not None:
                marked.add(name)
    finally:
        os.close(descriptor)
    if problems:
        raise FilesError("these files cannot be read:", tuple(problems), hint="Check their permissions.")
    return checksums


def _hash_file(name: str, folder_descriptor: int) -> tuple[str, bool]:
    checksum = hashlib.sha256()
    has_marks, before = False, b""
    file = os.open(name, os.O_RDONLY, dir_fd=folder_descriptor)
    try:
        while block := os.read(file, _BLOCK):
            checksum.update(block)
            has_marks = has_marks or _may_have_marks(before[-_LONGEST_WORD:] + block)
            before = block
    finally:
        os.close(file)
    return checksum.hexdigest(), has_marks


def _may_have_marks(data: bytes) -> bool:
    return may_have_marks_in(data) or _AFTER_DEPLOY in data.lower()


def _read_marked(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, SourceFile]]:
    for name in sorted(names):
        # A file that cannot be read is reported where its text is needed.
        with suppress(FilesError):
            yield name[: -len(".sql")], read_source(folder / name)


def find_both_directions(sources: Mapping[str, SourceFile]) -> dict[str, str]:
    """Return the files with statements in both sections of another tool: by version, where the down section begins."""
    found = {}
    for version, source in sources.items():
        # One that may have marks was read whole.
        text = source.content if isinstance(source.content, str) else ""
        if not may_have_marks(text.lower()):
            continue
        from tasks.runner.parsing.sections import read_sections

        sections = read_sections(text)
        if sections is not None and sections.has_up and sections.has_down:
            found[version] = f"{source.shown}:{sections.down_line} begins a down section of {sections.tool}"
    return found


def _runs_after_deploy(source: SourceFile) -> bool:
    """Return True for a file with the directive; one with a wrong directive is reported where it is parsed."""
    from tasks.runner.parsing.directives import read_header
    from tasks.runner.parsing.source_text import ScriptError, take_text

    with suppress(ScriptError):
        if not isinstance(source.content, str):
            from tasks.runner.parsing.large.script import read_large_header

            return read_large_header(source.content).after_deploy
        return read_header(take_text(source.content, source.shown)).after_deploy
    return False


def read_source(path: Path) -> SourceFile:
    """Read a file as text.

    Raises FilesError if it cannot be read, or if it is not certain which characters its bytes are.
    """
    from tasks.runner.files.decoding import decode_source
    from tasks.runner.parsing.large.text import LARGE_FILE

    shown = show_path(path)
    try:
        if path.stat().st_size > LARGE_FILE:
            from tasks.runner.files.large_files import read_large

            large = read_large(path, shown)
            if large is not None:
                return SourceFile(path, shown, large, large.checksum, None, size=large.size)
        data = path.read_bytes()
    except OSError as error:
        raise FilesError(f"{shown} cannot be read: {error.strerror}", (), place=Place(shown)) from error
    decoded = decode_source(data, shown)
    checksum, same = hashlib.sha256(data).hexdigest(), list_checksums(data)
    return SourceFile(path, shown, decoded.text, checksum, same, decoded.notes, size=len(data))


def show_path(path: Path) -> str:
    """Return a path to print: relative to the working directory if it is below it."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118 - a thousand Path objects take longer than reading their files
    absolute = os.path.abspath(path)  # noqa: PTH100 - a link is shown by its own name
    return absolute.removeprefix(here) if absolute.startswith(here) else str(path)


def list_sql_files(
    folder: Path, describe: Callable[[str], str | None] = describe_fault, good: Container[str] = ()
) -> tuple[dict[str, os.DirEntry[str]], list[str]]:
    """Return the usable files of a folder by name, and the problems of the others.

    `describe` returns which rule a name without its suffix breaks, if any; the names in `good` are not checked.
    """
    files: dict[str, os.DirEntry[str]] = {}
    entries, problems = scan_sql(folder)
    for entry in entries:
        name = entry.name
        fault = None if name in good else describe(name[: -len(".sql")])
        if fault is None and not name.endswith(".sql"):
            fault = "the suffix must be .sql in lower case"
        try:
            if fault is None and not entry.is_file():
                fault = (
                    "is a directory" if entry.is_dir() else "is a broken link" if entry.is_symlink() else "is not a regular file"
                )
            if fault is None:
                files[name] = entry
        except OSError as error:
            fault = f"cannot be read: {error.strerror}"
        if fault is not None:
            problems.append(f"{show_path(folder)}/{show_file_name(name)}: {fault}")
    return files, sorted(problems)


def scan_sql(folder: Path) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return the entries of a folder that are named *.sql, and why it cannot be listed; a missing folder has no entries."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.name[-4:].lower() == ".sql" and entry.name[0] not in "_."], []
    except FileNotFoundError:
        return [], [f"{show_path(folder)}: is a broken link"] if folder.is_symlink() else []
    except OSError as error:
        return [], [f"{show_path(folder)}: cannot be read: {error.strerror}"]


def show_file_name(name: str) -> str:
    """Return a name in which every character is printable."""
    return name if name.isprintable() else repr(name)[1:-1]


def _find_strays(folder: Path) -> list[str]:
    entries, problems = scan_sql(folder)
    return problems + [
        f"{show_path(folder)}/{show_file_name(name)}: is beside up/ and would never run; move it to up/"
        for name in sorted(entry.name for entry in entries)
        if name not in _BESIDE_FOLDERS
    ]


def _find_lone_downs(folder: Path, ups: Mapping[str, object], downs: Mapping[str, object]) -> list[str]:
    return [f"{show_path(folder)}/down/{name}: has no up/{name}" for name in sorted(downs.keys() - ups.keys())]


def _find_equal_timestamps(names: Collection[str]) -> list[str]:
    """Return a problem for each group of files with the same timestamp, which would leave their order undefined."""
    if len({name[:14] for name in names}) == len(names):
        return []
    ordered = sorted(names)
    groups: dict[str, list[str]] = {}
    for before, name in itertools.pairwise(ordered):
        if before[:14] == name[:14]:
            groups.setdefault(name[:14], [before]).append(name)
    return [f"{', '.join(group)}: equal timestamps; change one of them to a later timestamp" for group in groups.values()]
