"""Who refers to the files that a clean-up moves: lines of other files in the checkout.

A path is certain, a name without a path and a folder that is mounted or read as a whole less so: each reference states which it
is. Binary and large files are not searched, and links are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from tasks.checkout.listing import list_checkout, read_text
from tasks.legacy.events import FileReference
from tasks.legacy.proposal import Placement, Proposal
from tasks.runner.files.checkout import show_path
from tasks.runner.ledger.renames import RENAMES_FILE

How = Literal["path", "name", "folder"]

_PATH = re.compile(r"[\w./\\~${}%+@-]*\.(?:sql|SQL)(?![\w])")
_MOUNT = re.compile(
    r"docker-entrypoint-initdb\.d|^\s*(?:COPY|ADD)\s|\bfilesystem:|\bsource:|(?:^|\s)--?(?:d|dir|path|migrations?-\w+)[ =]"
)
"""Lines that use a folder as a whole: a mount of the image postgres, a Dockerfile, and the folder of another tool."""
_TOOL = Path(__file__).parents[1]
"""The package of this tool, which refers to such folders in general."""


class _Moved:
    """The files that move: by name, and by the folders that contain them."""

    def __init__(self, proposal: Proposal, root: Path) -> None:
        self.root = root
        self.paths: set[Path] = set()
        self.by_name: dict[str, list[Path]] = {}
        self.folders: dict[str, Path] = {}
        for placement in proposal.placements:
            for path in _list_moved(placement, proposal.folder):
                absolute = path.absolute()
                self.paths.add(absolute)
                self.by_name.setdefault(path.name, []).append(path)
                if absolute.is_relative_to(root) and absolute.parent != root:
                    self.folders.setdefault(absolute.parent.relative_to(root).as_posix(), path.parent)
        self.folder_pattern = _compile_folders(self.folders)


def find_references(proposal: Proposal) -> tuple[FileReference, ...]:
    """Return the lines of the checkout that refer to the files that a proposal moves."""
    root, files = list_checkout(proposal.folder.parent.absolute())
    moved = _Moved(proposal, root)
    ours = (proposal.folder / RENAMES_FILE).absolute()
    found = []
    for path in files if moved.paths else ():
        text = read_text(path, root) if path.absolute() != ours and not path.is_relative_to(_TOOL) else ""
        if ".sql" in text.lower() or (moved.folder_pattern and moved.folder_pattern.search(text)):
            found += list(_search(path, text, moved))
    return tuple(found)


def _search(path: Path, text: str, moved: _Moved) -> Iterator[FileReference]:
    shown = show_path(path)
    for number, line in enumerate(text.splitlines(), 1):
        named: dict[str, How] = {}
        for match in _PATH.finditer(line):
            for target, how in _match(match[0].replace("\\", "/"), path, moved.root, moved.by_name):
                if target.absolute() != path:
                    named.setdefault(show_path(target), how)
        if not named and moved.folder_pattern:
            for match in moved.folder_pattern.finditer(line):
                whole = match["all"] is not None or _MOUNT.search(line)
                if whole:
                    named.setdefault(show_path(moved.folders[match["folder"]]), "folder")
        yield from (FileReference(shown, number, target, how) for target, how in named.items())


def _match(text: str, path: Path, root: Path, by_name: Mapping[str, list[Path]]) -> Iterator[tuple[Path, How]]:
    """Yield the files that a path in a text means: the last of its folders must be that of the file."""
    *places, name = text.split("/")
    folders = [part for part in places if part not in ("", ".", "..", "~") and part[0] not in "$%"]
    for target in by_name.get(name, ()):
        absolute = target.absolute()
        if _means_another(text, absolute, path, root) or (folders and folders[-1] != absolute.parent.name):
            continue
        beside = absolute.parent == path.parent
        if folders or (beside and "/" in text):
            yield target, "path"
        elif beside or not _is_common(target):
            yield target, "name"


def _means_another(text: str, target: Path, path: Path, root: Path) -> bool:
    """Return True if a path leads to another file, from the file that contains it or from the root."""
    there = next((place / text for place in (path.parent, root) if (place / text).is_file()), None)
    return there is not None and there.absolute() != target and not (target.exists() and there.samefile(target))


def _is_common(path: Path) -> bool:
    """Return True for a name that means nothing without its folder, such as those of Prisma and diesel."""
    return path.name in ("migration.sql", "up.sql", "down.sql")


def _list_moved(placement: Placement, folder: Path) -> Iterator[Path]:
    """Yield the files of a placement whose path changes."""
    old = placement.file
    for path in (old.path, old.down):
        if path is not None and not (path.parent.parent == folder and path.stem == placement.version):
            yield path


def _compile_folders(folders: Mapping[str, Path]) -> re.Pattern[str] | None:
    """Return the pattern of a folder in a line, as a path of its own: with `all` set if it is mounted or its files are listed."""
    if not folders:
        return None
    names = "|".join(re.escape(name) for name in sorted(folders, key=len, reverse=True))
    return re.compile(
        rf"(?<![\w.-])(?:\./|\$\w+/|\$\{{\w+\}}/|/)?(?P<folder>{names})(?:(?P<all>/?:/|/[\w.\[\]-]*\*)|(?![\w.-]|/\w))"
    )
