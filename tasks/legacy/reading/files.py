"""Read a folder of old files: each with the parts of its name, and with its down file if there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.legacy.reading.names import OldName, is_down_name, list_down_names, read_name, read_undo_number
from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.versions import read_leading_number


@dataclass(frozen=True, slots=True)
class OldFile:
    """An old up file, the parts of its name, and its down file if it has one."""

    path: Path
    name: OldName
    down: Path | None = None
    no_transaction: bool = False
    """Whether its tool runs it without a transaction, according to a file beside it."""

    @property
    def has_folder(self) -> bool:
        """Return True if the file has a folder of its own, whose name is that of the migration."""
        return not self.path.stem.startswith(self.name.stem)

    @property
    def order(self) -> tuple[object, ...]:
        """Return the sort key: by number, then by the date in the name, and files with neither last."""
        ranks = {"numbered": 0, "timestamped": 1, "unnumbered": 2, "repeatable": 3}
        return ranks[self.name.kind], self.name.timestamp, self.name.number or (), self.path.name


def read_old_files(folder: Path, *others: Path, more: Iterable[OldFile] = ()) -> tuple[OldFile, ...]:
    """Return the SQL files of a folder, others named one by one, and `more`, ordered by their names.

    Subfolders are not read, and names that begin with `_` or `.` are ignored. Raises FilesError with all problems:
    downs without an up, files that are missing or cannot be read, and names that only differ in their endings.
    """
    if not folder.is_dir():
        raise FilesError(f"there is no folder {show_path(folder)}", (), hint="Name the folder of the old files with --folder.")
    paths = sorted(dict.fromkeys([*list_sql(folder), *others]))
    problems = [f"{show_path(path)}: {fault}" for path in paths if (fault := _describe_fault(path))]
    files, lone = pair_files(path for path in paths if path.is_file())
    problems += [f"{show_path(path)}: is a down migration without a matching up migration" for path in lone]
    files += more
    problems += _find_equal_names(files)
    if problems:
        raise FilesError(
            f"{show_path(folder)} has {len(problems)} file{'s' if len(problems) > 1 else ''} that cannot be part of a history:",
            tuple(problems),
            hint="Move them elsewhere, or put _ before the name: such files are ignored.",
        )
    return tuple(sorted(files, key=lambda file: file.order))


def list_sql(folder: Path) -> list[Path]:
    """Return the SQL files of a folder, without schema.sql beside up/, which this tool writes."""
    listed = [path for path in folder.iterdir() if path.suffix.lower() == ".sql" and path.name[0] not in "_."]
    return [path for path in listed if path.name != "schema.sql" or not (folder / "up").is_dir()]


def list_ups(folder: Path) -> list[Path]:
    """Return the files of up/ in a migrations folder, by name."""
    return sorted(path for path in (folder / "up").glob("*.sql") if path.is_file() and path.name[0] not in "_.")


def pair_files(paths: Iterable[Path]) -> tuple[list[OldFile], list[Path]]:
    """Return the up files with the down of each, and the downs without an up."""
    by_place = {(path.parent, path.stem): path for path in paths}
    downs: dict[Path, Path] = {}
    for (parent, stem), path in by_place.items():
        for name in list_down_names(stem):
            down = by_place.get((parent, name))
            if down is not None and down != path:
                downs.setdefault(path, down)
    _pair_by_number(by_place, downs)
    taken = set(downs.values())
    ups = [path for path in by_place.values() if path not in taken]
    lone = [path for path in ups if is_down_name(path.stem)]
    return [OldFile(path, read_name(path.stem), downs.get(path)) for path in ups if path not in lone], lone


def _pair_by_number(by_place: Mapping[tuple[Path, str], Path], downs: dict[Path, Path]) -> None:
    """Add the undo files of Flyway whose description differs from that of their migration: only the number counts.

    https://documentation.red-gate.com/fd/undo-migrations-273973336.html
    """
    left = {(parent, number): path for (parent, stem), path in by_place.items() if (number := read_undo_number(stem))}
    for (parent, stem), path in by_place.items():
        down = left.get((parent, read_leading_number(stem) or ())) if stem.startswith("V") else None
        if down is not None and down not in downs.values():
            downs.setdefault(path, down)


def _describe_fault(path: Path) -> str:
    if not path.is_file():
        return "is not a file"
    try:
        with path.open("rb"):
            return ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _find_equal_names(files: Iterable[OldFile]) -> list[str]:
    seen: dict[str, Path] = {}
    problems = []
    for file in files:
        first = seen.setdefault(file.name.stem, file.path)
        if first != file.path:
            problems.append(f"{show_path(first)}, {show_path(file.path)}: have the same name, which a ledger cannot distinguish")
    return problems
