"""Old migrations that are folders: those of Prisma and diesel, and SQL in other sub-folders, which is not read.

https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories
https://docs.rs/diesel_migrations/latest/diesel_migrations/ (up.sql, down.sql, metadata.toml)
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.legacy.reading.files import OldFile, list_sql
from tasks.legacy.reading.names import read_name

_OUR_FOLDERS = ("up", "down")
_UP_FILES = ("migration.sql", "up.sql")
"""The file of a migration's folder that is its up file: of Prisma, and of diesel."""
_DOWN_FILE = "down.sql"
_FLYWAY = re.compile(r"(?:[VU]\d[\d._]*|R)__")
_METADATA = "metadata.toml"


def list_folders(folder: Path) -> list[OldFile]:
    """Return the migrations of a folder that are folders themselves, by name."""
    found = []
    for each in sorted(_list_subfolders(folder)):
        up = next((each / name for name in _UP_FILES if (each / name).is_file()), None)
        if up is not None:
            down = each / _DOWN_FILE
            found.append(
                OldFile(up, read_name(each.name), down if down.is_file() else None, no_transaction=not _has_transaction(each))
            )
    return found


def list_nested(folder: Path) -> list[Path]:
    """Return the files in sub-folders at any depth that have names of Flyway, which reads them there too.

    https://documentation.red-gate.com/fd/flyway-locations-setting-277579008.html
    """
    places = [place for each in sorted(_list_subfolders(folder)) for place in _walk(each)]
    return [path for place in places for path in sorted(list_sql(place)) if path.is_file() and _FLYWAY.match(path.name)]


def count_unread(folders: Iterable[Path], files: Iterable[OldFile]) -> dict[Path, int]:
    """Return how many SQL files each sub-folder of some folders has that are not among the files."""
    read = {path for file in files for path in (file.path, file.down) if path is not None}
    counts: Counter[Path] = Counter()
    for folder in folders:
        for each in _list_subfolders(folder):
            for place in _walk(each):
                counts[place] += sum(path not in read for path in list_sql(place) if path.is_file())
    return {place: number for place, number in counts.items() if number}


def _walk(folder: Path) -> Iterator[Path]:
    for place, below, _ in os.walk(folder):
        below[:] = [name for name in below if name[0] not in "_."]
        yield Path(place)


def _list_subfolders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "_." and path.name not in _OUR_FOLDERS]


def _has_transaction(folder: Path) -> bool:
    """Return False if diesel runs a migration without a transaction."""
    try:
        return tomllib.loads((folder / _METADATA).read_text(encoding="utf-8")).get("run_in_transaction") is not False
    except (OSError, ValueError):
        return True
