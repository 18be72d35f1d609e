"""Folders of generated migrations, in the format of each tool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Folders:
    """The same migrations in four formats: for this project, for psql (one file), for dbmate and for yoyo-migrations."""

    own: Path
    psql: Path
    dbmate: Path
    yoyo: Path


def write_folders(home: Path, count: int, *, tables: bool) -> Folders:
    """Write `count` migrations of two statements, which create a table and its index or, without `tables`, only select."""
    return write_migrations(home, [_write_statements(number, tables=tables) for number in range(count)])


def write_migrations(home: Path, texts: Iterable[tuple[str, str]]) -> Folders:
    """Write migrations with these up and down texts."""
    folders = Folders(home / "own", home / "all.sql", home / "dbmate", home / "yoyo")
    for folder in (folders.own / "up", folders.own / "down", folders.dbmate, folders.yoyo):
        folder.mkdir(parents=True)
    transactions = []
    for number, (up, down) in enumerate(texts):
        version = f"{_FIRST + timedelta(minutes=number):%Y%m%d%H%M%S}_table_{number}"
        (folders.own / "up" / f"{version}.sql").write_text(up)
        (folders.own / "down" / f"{version}.sql").write_text(down)
        (folders.dbmate / f"{version}.sql").write_text(f"-- migrate:up\n{up}-- migrate:down\n{down}")
        (folders.yoyo / f"{version}.sql").write_text(up)
        (folders.yoyo / f"{version}.rollback.sql").write_text(down)
        transactions.append(f"BEGIN;\n{up}COMMIT;\n")
    folders.psql.write_text("".join(transactions))
    return folders


def _write_statements(number: int, *, tables: bool) -> tuple[str, str]:
    name = f"table_{number}"
    if not tables:
        return f"SELECT {number};\nSELECT '{name}';\n", f"SELECT {number};\n"
    return f"CREATE TABLE {name} (id int, name text);\nCREATE INDEX {name}_name ON {name} (name);\n", f"DROP TABLE {name};\n"
