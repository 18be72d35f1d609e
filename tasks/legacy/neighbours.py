"""SQL files of the checkout that are not part of the clean-up, and what they create."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tasks.checkout.listing import list_checkout, read_text
from tasks.legacy.needs import Need, creates
from tasks.legacy.reading.files import OldFile, list_sql
from tasks.runner.files.checkout import show_path

_OURS = ("up", "down", "seeds")
_FEW = 20


class Neighbours:
    """The SQL files around a clean-up, read when they are first asked for."""

    def __init__(self, folder: Path, files: Iterable[OldFile]) -> None:
        self._folder = folder
        self._read = {path.resolve() for file in files for path in (file.path, file.down) if path is not None}

    def find_creator(self, need: Need) -> str:
        """Return the path of the nearest file that seems to create what is needed; empty if there is none."""
        return next((show_path(path) for path, text in self._texts if creates(text, need)), "")

    @cached_property
    def _texts(self) -> list[tuple[Path, str]]:
        root, files = list_checkout(self._folder.parent.absolute())
        paths = [path for path in files if path.suffix.lower() == ".sql" and self._counts(path.relative_to(root))]
        paths.sort(key=lambda path: (len(Path(os.path.relpath(path, self._folder)).parts), str(path)))
        dumped = self._folder.absolute() / "schema.sql"
        return [
            (path, text)
            for path in paths
            if path != dumped and path.resolve() not in self._read and (text := read_text(path, root))
        ]

    @staticmethod
    def _counts(path: Path) -> bool:
        return not any(part[0] in "_." for part in path.parts) and not any(part in _OURS for part in path.parts[:-1])


def propose_folders(creators: Iterable[str], read: Iterable[Path], migrations: Path) -> tuple[str, ...]:
    """Return what to name with --folder: what is read now, and where the files are that create what is needed.

    A file is named alone if its folder contains the migrations folder, or more than a few other SQL files.
    """
    more: list[str] = []
    for creator in creators:
        place = Path(creator).parent
        alone = migrations.absolute().is_relative_to(place.absolute()) or len(list_sql(place)) > _FEW
        more.append(creator if alone else show_path(place))
    return tuple(dict.fromkeys([*map(show_path, read), *more])) if more else ()
