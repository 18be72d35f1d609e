"""Projects of Alembic in the folder of a test: env.py, alembic.ini, and revisions with the bodies of a case."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent

from tests.kit.databases import Database

INI = """
[alembic]
script_location = %(here)s/alembic
prepend_sys_path = .
sqlalchemy.url = driver://user:pass@localhost/dbname
"""
ENV = """
import os
from alembic import context
from sqlalchemy import create_engine, pool

URL = os.environ["DATABASE_URL"]
OPTIONS = {options}

def offline():
    context.configure(url=URL, **OPTIONS)
    with context.begin_transaction():
        context.run_migrations()

def online():
    with create_engine(URL, poolclass=pool.NullPool).connect() as connection:
        {first}
        context.configure(connection=connection, **OPTIONS)
        with context.begin_transaction():
            context.run_migrations()

print("SELECT 'this is no statement';")
offline() if context.is_offline_mode() else online()
"""
REVISION = '''"""{doc}

Revision ID: {id}
Revises: {down}
Create Date: {created}

"""
import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

revision = {id!r}
down_revision = {down!r}
branch_labels = None
depends_on = {depends!r}


def upgrade():
{upgrade}


def downgrade():
{downgrade}
'''


@dataclass
class AlembicFolder:
    """A project of Alembic below a folder."""

    root: Path
    count: int = 0
    created: dict[str, str] = field(default_factory=dict)

    @property
    def versions(self) -> Path:
        """Return the folder of the revisions."""
        return self.root / "alembic" / "versions"

    def set_up(self, *, env: str = ENV, ini: str = INI, options: str = "{}", first: str = "pass") -> "AlembicFolder":
        """Write env.py and alembic.ini."""
        self.versions.mkdir(parents=True, exist_ok=True)
        text = env.replace("{options}", options).replace("{first}", first)
        (self.versions.parent / "env.py").write_text(text)
        (self.root / "alembic.ini").write_text(ini)
        return self

    def write(
        self,
        id: str,
        upgrade: str = "pass",
        downgrade: str = "pass",
        *,
        down: str | tuple[str, ...] | None = "",
        depends: str | None = None,
        created: str = "",
        doc: str = "",
    ) -> Path:
        """Write a revision, by default after the one that was written last, one day later."""
        self.count += 1
        created = created or f"2024-01-{self.count:02} 10:00:00.123456"
        before = next(reversed(self.created), None) if down == "" else down
        self.created[id] = created
        path = self.versions / f"{id}_x.py"
        bodies = [indent(dedent(text).strip(), "    ") for text in (upgrade, downgrade)]
        path.write_text(
            REVISION.format(
                doc=doc or f"step {id}",
                id=id,
                down=before,
                depends=depends,
                created=created,
                upgrade=bodies[0],
                downgrade=bodies[1],
            )
        )
        return path

    def run(self, database: Database, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Alembic itself on a database."""
        return subprocess.run(
            [sys.executable, "-m", "alembic", "-c", str(self.root / "alembic.ini"), *arguments],
            cwd=self.root,
            env={"DATABASE_URL": database.url.replace("postgresql://", "postgresql+psycopg://"), "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
