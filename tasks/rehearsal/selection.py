"""Which migrations of a checkout are rehearsed, and which run before them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from tasks.rehearsal.model import RehearsedMigration


@dataclass(frozen=True, slots=True)
class Selection:
    """All migrations of a checkout in their order, the versions to rehearse, and the reason for these.

    `applied` are the versions that are applied in the environment; it is empty if its status was not read, and then no version
    is late.
    """

    migrations: tuple[RehearsedMigration, ...]
    chosen: tuple[str, ...]
    reason: str
    applied: frozenset[str] = frozenset()
    environment: str = ""
    """The environment for which they are rehearsed."""
    server_version: int = 0
    """The version of its server, as libpq reports it (150004); 0 if that is not known."""
    differing: Mapping[str, str] = field(default_factory=dict)
    """The applied versions whose text is not that of the checkout, each with its state: edited or missing."""

    def list_chosen(self) -> list[RehearsedMigration]:
        """Return the migrations to rehearse."""
        return [migration for migration in self.migrations if migration.name in self.chosen]

    def list_before(self, version: str) -> list[RehearsedMigration]:
        """Return the migrations before a version."""
        return [migration for migration in self.migrations if migration.name < version]

    def is_late(self, version: str) -> bool:
        """Return True if a version is not applied, and older than the newest applied one."""
        return version not in self.applied and version < max(self.applied, default="")

    def is_deferred(self, version: str) -> bool:
        """Return True if a version runs after the deployment, and a run before it applies others behind this version."""
        behind = (each for each in self.migrations if each.name > version and each.name not in self.applied)
        marked = any(each.name == version and each.after_deploy for each in self.migrations)
        return marked and bool(self.applied) and version not in self.applied and not all(each.after_deploy for each in behind)

    def list_orders(self, version: str) -> tuple[list[RehearsedMigration], list[RehearsedMigration]]:
        """Return the applied migrations with a late version in its place, and with it after all of them.

        Other late versions before it are in both lists: in their places, and just before it. With one that is deferred, all
        migrations are in both lists: by name, and those that run after the deployment at the end.
        """
        if self.is_deferred(version):
            return list(self.migrations), sorted(self.migrations, key=lambda each: (self.is_deferred(each.name), each.name))
        late = [migration for migration in self.migrations if migration.name <= version and self.is_late(migration.name)]
        applied = [migration for migration in self.migrations if migration.name in self.applied]
        return sorted([*applied, *late], key=lambda migration: migration.name), [*applied, *late]

    def without(self, versions: Collection[str]) -> Selection:
        """Return the selection without some versions, which the migrations after them cannot build on."""
        kept = tuple(migration for migration in self.migrations if migration.name not in versions)
        return replace(self, migrations=kept)
