"""Folders of generated migrations, in the format of each tool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_ALEMBIC_INI = "[alembic]\nscript_location = %(here)s\n"
_ALEMBIC_ENVIRONMENT = """\
import os
import sqlalchemy
from alembic import context

with sqlalchemy.create_engine(os.environ["ALEMBIC_URL"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_ALEMBIC_REVISION = '''\
from alembic import op

revision = "{revision}"
down_revision = {previous!r}

def upgrade():
    op.execute("""{up}""")

def downgrade():
    op.execute("""{down}""")
'''


@dataclass(frozen=True)
class Folders:
    """The same migrations in the format of each tool: for this project, for psql (one file), and for the tools of others."""

    own: Path
    psql: Path
    dbmate: Path
    yoyo: Path
    alembic: Path


def write_folders(home: Path, count: int, *, tables: bool) -> Folders:
    """Write `count` migrations of two statements, which create a table and its index or, without `tables`, only select."""
    return write_migrations(home, [_write_statements(number, tables=tables) for number in range(count)])


def write_migrations(home: Path, texts: Iterable[tuple[str, str]]) -> Folders:
    """Write migrations with these up and down texts."""
    folders = make_folders(home)
    transactions, previous = [], None
    for number, (up, down) in enumerate(texts):
        version = find_version(number)
        (folders.own / "up" / f"{version}.sql").write_text(up)
        (folders.own / "down" / f"{version}.sql").write_text(down)
        (folders.dbmate / f"{version}.sql").write_text(f"-- migrate:up\n{up}-- migrate:down\n{down}")
        (folders.yoyo / f"{version}.sql").write_text(up)
        (folders.yoyo / f"{version}.rollback.sql").write_text(down)
        revision = _ALEMBIC_REVISION.format(revision=version, previous=previous, up=up, down=down)
        (folders.alembic / "versions" / f"{version}.py").write_text(revision)
        transactions.append(f"BEGIN;\n{up}COMMIT;\n")
        previous = version
    folders.psql.write_text("".join(transactions))
    return folders


def make_folders(home: Path) -> Folders:
    """Make the folders, without migrations."""
    folders = Folders(home / "own", home / "all.sql", home / "dbmate", home / "yoyo", home / "alembic")
    for folder in (folders.own / "up", folders.own / "down", folders.dbmate, folders.yoyo, folders.alembic / "versions"):
        folder.mkdir(parents=True)
    (folders.alembic / "alembic.ini").write_text(_ALEMBIC_INI)
    (folders.alembic / "env.py").write_text(_ALEMBIC_ENVIRONMENT)
    return folders


def find_version(number: int) -> str:
    """Return the name of a generated migration, without its ending."""
    return f"{_FIRST + timedelta(minutes=number):%Y%m%d%H%M%S}_table_{number}"


def _write_statements(number: int, *, tables: bool) -> tuple[str, str]:
    name = f"table_{number}"
    if not tables:
        return f"SELECT {number};\nSELECT '{name}';\n", f"SELECT {number};\n"
    return f"CREATE TABLE {name} (id int, name text);\nCREATE INDEX {name}_name ON {name} (name);\n", f"DROP TABLE {name};\n"
