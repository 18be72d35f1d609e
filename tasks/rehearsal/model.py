"""The migrations that are rehearsed, and the results of running them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tasks.catalog import Catalog, Difference, compare
from tasks.rehearsal.errors import ON_SCRATCH
from tasks.rehearsal.lacks import NotChecked
from tasks.runner.errors import Place, RefusedError, RunnerError
from tasks.runner.files.checkout import Migrations, read_source, show_path
from tasks.runner.files.loadable_text import KnownText
from tasks.runner.planning.choice import Choice
from tasks.runner.planning.plan import Source, Step, plan

Direction = Literal["up", "down"]
_ACTIONS = {"up": "migrate", "down": "rollback"}


@dataclass(frozen=True, slots=True)
class RehearsedMigration:
    """The texts of a migration, from its files or from the ledger; `name` need not be a valid version.

    `shown` and `shown_down` name the texts in errors; the default is the name. `checksum` is that of the up file's bytes; the
    default is that of the text.
    """

    name: str
    up: str
    down: str | None = None
    shown: str = ""
    shown_down: str = ""
    checksum: str = field(default="", compare=False)
    after_deploy: bool = False
    """Whether it runs after the deployment, and perhaps after migrations behind it."""

    def make_step(self, direction: Direction) -> Step:
        """Return the step that a run would execute; raises RefusedError if the text is missing or cannot be run."""
        shown = self.shown or self.name
        if direction == "down" and self.down is None:
            raise RefusedError(f"{self.name} has no down migration", state=ON_SCRATCH, place=Place(shown))
        if direction == "down":
            shown = self.shown_down or f"{shown} (down)"
        text = self.up if direction == "up" else self.down or ""
        checksum = self.checksum or hashlib.sha256(self.up.encode()).hexdigest()
        down = None if self.down is None else KnownText(self.down)
        source = Source(shown, text, checksum, down, size=KnownText(text).size)
        made = plan(Choice(_ACTIONS[direction], (self.name,)), {self.name: source}, {})
        return made.steps[0]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of running a migration, with the schema before and after; `error` is None if it succeeded."""

    migration: RehearsedMigration
    error: RunnerError | None
    before: Catalog
    after: Catalog
    unchecked: tuple[str, ...] = ()
    """The statements that were not run, each as file, line and first words."""
    lacking: tuple[NotChecked, ...] = ()
    """Those of them that were not run because the scratch server lacks something that is not excluded."""
    roles: tuple[str, ...] = ()
    """The roles that it names, and that exist on the scratch server only because rehearsals made them."""
    seen: str = ""
    """What the caller's look at the database returned after it."""

    @property
    def effect(self) -> Difference:
        """Return what the migration changed in the schema."""
        return compare(self.before, self.after)


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of running a migration, without schemas; `clean` is False if a failed run left committed changes behind."""

    error: RunnerError | None = None
    unchecked: tuple[str, ...] = ()
    clean: bool = True
    lacking: tuple[NotChecked, ...] = ()
    roles: tuple[str, ...] = ()


def read_migration_pairs(
    migrations: Migrations, versions: Iterable[str] | None = None, *, with_downs: bool = True
) -> tuple[RehearsedMigration, ...]:
    """Read the texts of some versions of a checkout, by default of all; raises FilesError for a file that cannot be read."""
    return tuple(
        replace(
            read_pair(
                version,
                migrations.up_path(version),
                migrations.down_path(version),
                with_down=with_downs and version in migrations.downs,
            ),
            after_deploy=version in migrations.after_deploy,
        )
        for version in (migrations.checksums if versions is None else versions)
    )


def read_pair(name: str, up: Path, down: Path | None = None, *, with_down: bool = True) -> RehearsedMigration:
    """Read a migration from its files; with `with_down=False`, `down` is only where the down file would be.

    Raises FilesError for a file that cannot be read.
    """
    source = read_source(up)
    text = read_source(down).text if down is not None and with_down else None
    shown_down = show_path(down) if down is not None else ""
    return RehearsedMigration(name, source.text, text, source.shown, shown_down, source.checksum)
