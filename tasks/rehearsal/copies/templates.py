"""The templates of the databases for tests: cached states that were made from all migrations of a checkout, and its seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration, read_migration_pairs
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch import cache
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.files.checkout import SourceFile, read_migrations
from tasks.runner.files.seeds import read_seed_files
from tasks.runner.operations.seed import seed

LIMITS = cache.CacheLimits(megabytes=4 * 1024)
"""Seeds can make a template much larger than the states of rehearsals, which have no rows."""

_FORMAT = 1
"""Increment when the same files lead to a different template."""
_SHORT = 32
_LOCK = "SELECT pg_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_LONGEST_WAIT = "15min"


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """The files that a template is made from; `seeded` is whether it has the rows of the seeds."""

    migrations_dir: Path
    seeds_dir: Path
    seeded: bool = False

    def read_migrations(self) -> tuple[RehearsedMigration, ...]:
        """Read the migrations; raises FilesError."""
        return read_migration_pairs(read_migrations(self.migrations_dir), with_downs=False)

    def read_seeds(self) -> tuple[SourceFile, ...]:
        """Read the seeds for every environment, if the template has their rows; raises FilesError."""
        if not self.seeded:
            return ()
        found = read_seed_files(self.seeds_dir)
        if not found:
            raise ScratchError(
                f"there are no seeds in {self.seeds_dir}",
                hint="Set SEEDS_DIR to their folder, or remove the marker `seeds` from the tests.",
            )
        return found


def ensure_template(server: ScratchServer, files: TemplateFiles) -> str:
    """Return the database that is the template, and make it if it does not exist.

    Its name depends on the files, so that an edited file leads to a new template. Of several processes, one makes it and the
    others wait. Raises RunnerError for the first migration or seed that fails, and LackError for what the server lacks.
    """
    migrations, seeds = files.read_migrations(), files.read_seeds()
    name = _name_template(server, migrations, seeds)
    state = cache.read_cached(server.administer()).get(name)
    if state is None:
        with _lock(server, name):
            state = cache.read_cached(server.administer()).get(name)
            if state is None:
                _make(server, files, migrations, name)
                state = cache.read_cached(server.administer()).get(name)
    if state is None:
        raise ScratchError(
            "the template of the databases for tests could not be kept on the scratch server",
            hint="Its log has the reason: the disk may be full, or another session may have connected to every new database.",
        )
    cache.touch(server.administer(), state.database)
    return state.database


def _name_template(server: ScratchServer, migrations: tuple[RehearsedMigration, ...], seeds: tuple[SourceFile, ...]) -> str:
    schema = cache.name_states(migrations, server.version, server.state_key)[-1:]
    checksums = [migration.checksum for migration in migrations]
    texts = [(each.path.stem, each.checksum) for each in seeds]
    digest = hashlib.sha256(repr((_FORMAT, schema, server.state_key, checksums, texts)).encode()).hexdigest()
    return f"{cache.PREFIX}{digest[:_SHORT]}"


def _make(server: ScratchServer, files: TemplateFiles, migrations: tuple[RehearsedMigration, ...], name: str) -> None:
    with state_after(server, migrations) as database:
        _refuse_lacks(server, database)
        if files.seeded:
            runner = MigrationRunner(
                database.url, migrations_dir=files.migrations_dir, seeds_dir=files.seeds_dir, watch_drift=False
            )
            for _ in seed(runner):
                pass
        server.cache_state(database, name)


def _refuse_lacks(server: ScratchServer, database: ScratchDatabase) -> None:
    """Raise LackError if a migration was left out in part because the server lacks something."""
    lacking = [NotChecked(entry.shown, entry.lack) for entry in read_left_out(database) if entry.lack]
    what = "the schema for the tests cannot be made completely"
    refuse_lacks(lacking, server.version, embedded=server.embedded, what=what, skippable=False)


@contextmanager
def _lock(server: ScratchServer, name: str) -> Iterator[None]:
    """Exclude other processes that make a template of this name; without the lock, two would make it at the same time.

    Every role can take this lock, so that the wait is limited.
    """
    connection = server.administer()
    try:
        with suppress(psycopg.errors.LockNotAvailable):
            connection.execute(f"SET lock_timeout = '{_LONGEST_WAIT}'")
            connection.execute(_LOCK, [name])
        connection.execute("SET lock_timeout = 0")
        yield
    finally:
        with suppress(psycopg.Error):
            connection.execute(_UNLOCK, [name])
