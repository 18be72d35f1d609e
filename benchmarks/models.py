"""Comparing models with migrations: db.check-models, and `alembic check` on the same models and tables."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.catalogs import write_table
from benchmarks.kit.timing import Command, Sample, time_interleaved
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import REPOSITORY
from tests.kit.servers import Server

CHECK_FIRST, CHECK_AGAIN, ALEMBIC_CHECK = "db.check-models", "db.check-models, again", "alembic check"
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_HEAD = """\
from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, DateTime, ForeignKey, Identity, Index, MetaData, Numeric
from sqlalchemy import String, Table, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
"""
_TABLE = """
Table(
    "{table}",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("parent", BigInteger{reference}),
    Column("name", String(80), nullable=False),
    Column("email", Text),
    Column("status", Text, CheckConstraint("status IN ('new', 'done')"), nullable=False, server_default="new"),
    Column("price", Numeric(10, 2), server_default=text("0")),
    Column("tags", ARRAY(Text)),
    Column("details", JSONB, nullable=False, server_default=text("'{{}}'")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True)),
    Index("{table}_parent", "parent"),
    Index("{table}_name", text("lower(name)"), postgresql_where=text("status <> 'done'")),
)
"""
_ALEMBIC_INI = "[alembic]\nscript_location = {folder}\n"
_ALEMBIC_ENV = """
import os
import psycopg
from alembic import context
from sqlalchemy import NullPool, create_engine
from generated_models import metadata

url = os.environ["ALEMBIC_URL"]
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
_REVISION = 'revision = "1"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n'


@dataclass
class ModelsBenchmark:
    """A server, a working folder, and the number of runs of each command."""

    server: Server
    home: Path
    runs: int

    def time(self, tables: int) -> dict[str, Sample]:
        """Time the commands on models of `tables` tables, each created by a migration of its own; all must find no difference."""
        folder = self.home / f"models_{tables}"
        _write_models(folder, tables)
        database = self._create_database(tables)
        commands = {
            CHECK_FIRST: self._check(folder, forget=True),
            CHECK_AGAIN: self._check(folder),
            ALEMBIC_CHECK: Command(
                [sys.executable, "-m", "alembic", "-c", str(folder / "alembic.ini"), "check"],
                {**self._build_environment(folder), "ALEMBIC_URL": self.server.url(database)},
            ),
        }
        return time_interleaved(commands, self.runs)

    def _check(self, folder: Path, *, forget: bool = False) -> Command:
        arguments = [sys.executable, "-m", "invoke", "--search-root", str(REPOSITORY), "db.check-models"]
        variables = {
            **self._build_environment(folder),
            "SCRATCH_DATABASE_URL": self.server.url(),
            "MIGRATIONS_DIR": str(folder / "migrations"),
            "MODELS": "generated_models:metadata",
        }
        return Command(arguments, variables, self._forget) if forget else Command(arguments, variables)

    def _build_environment(self, folder: Path) -> dict[str, str]:
        path = os.environ.get("PATH", os.defpath)
        cache = str(self.home / "cache")
        return {"PATH": path, "HOME": str(self.home), "XDG_CACHE_HOME": cache, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(folder)}

    def _create_database(self, tables: int) -> str:
        name = f"models_{tables}"
        self.server.drop(name)
        self.server.create(name)
        with psycopg.connect(self.server.url(name), autocommit=True) as connection:
            for number in range(1, tables + 1):
                connection.execute(write_table(number))
            connection.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)")
            connection.execute("INSERT INTO alembic_version VALUES ('1')")
            connection.execute("VACUUM ANALYZE")
        return name

    def _forget(self) -> None:
        shutil.rmtree(self.home / "cache", ignore_errors=True)
        with ScratchServer(self.server.url()) as server:
            server.drop_states()


def _write_models(folder: Path, tables: int) -> None:
    """Write the module of the models, their migrations, and the files of Alembic."""
    for name in ("migrations/up", "migrations/down", "versions"):
        (folder / name).mkdir(parents=True)
    models = [_HEAD]
    for number in range(1, tables + 1):
        table = f"table_{number:05}"
        reference = f', ForeignKey("table_{number - 1:05}.id")' if number > 1 else ""
        models.append(_TABLE.format(table=table, reference=reference))
        version = f"{_FIRST + timedelta(minutes=number):%Y%m%d%H%M%S}_add_{table}.sql"
        (folder / "migrations/up" / version).write_text(write_table(number))
        (folder / "migrations/down" / version).write_text(f"DROP TABLE {table};\n")
    (folder / "generated_models.py").write_text("".join(models))
    (folder / "alembic.ini").write_text(_ALEMBIC_INI.format(folder=folder))
    (folder / "env.py").write_text(_ALEMBIC_ENV)
    (folder / "versions" / "1_empty.py").write_text(_REVISION)
