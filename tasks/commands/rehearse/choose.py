"""Choose the migrations to rehearse: those that are pending in an environment, all, or one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.commands.dispatch import open_events
from tasks.config.environments import LOCAL, PROJECT, Environment
from tasks.options import Options
from tasks.rehearsal.model import read_migration_pairs
from tasks.rehearsal.selection import Selection
from tasks.runner.errors import ConnectError, UsageError
from tasks.runner.events import StatusRead
from tasks.runner.files.checkout import read_migrations
from tasks.runner.operations.requests import Request
from tasks.runner.planning.choice import find_version

if TYPE_CHECKING:
    from tasks.runner.signals import Stop

_APPLIED = frozenset({"applied", "edited"})
_OPEN = frozenset({"pending", "late", "interrupted"})


@dataclass(frozen=True, slots=True)
class Selector:
    """Which migrations to rehearse: one, all, or those that are pending in the environment."""

    only: str = ""
    all: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for flags that contradict each other."""
        if self.only and self.all:
            raise UsageError(
                "--only and --all contradict each other", hint="Leave one of them out.", state="Nothing was changed."
            )


def pick(environment: Environment, selector: Selector, options: Options, stop: Stop, seen: list[str]) -> Selection:
    """Read the files and return the selection; the environment is read only if neither one nor all are selected.

    If the local database does not exist, all are selected. Raises RunnerError.
    """
    migrations = read_migrations(environment.settings.migrations_dir)
    rehearsed = read_migration_pairs(migrations)
    versions = tuple(migrations.checksums)
    if selector.only:
        version = find_version(selector.only, versions)
        return Selection(rehearsed, (version,), "the one selected")
    if selector.all:
        return Selection(rehearsed, versions, "all")
    if environment.name == LOCAL and not _is_running(environment):
        return Selection(rehearsed, versions, "all, since there is no local database that says which are pending")
    try:
        states = _read_states(environment, options, stop, seen)
    except ConnectError:
        if environment.name != LOCAL:
            raise
        return Selection(rehearsed, versions, "all, since the local database cannot be read")
    applied = frozenset(version for version in versions if states.get(version) in _APPLIED)
    chosen = tuple(version for version in versions if states.get(version) in _OPEN)
    return Selection(rehearsed, chosen, f"pending in {environment.name}", applied, asked=True)


def _is_running(environment: Environment) -> bool:
    """Return True if the local environment has a database, without starting one."""
    from tasks.postgres.server import embedded

    return bool(environment.settings.database_url) or embedded.find_running(PROJECT / ".postgres") is not None


def _read_states(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> dict[str, str]:
    for event in open_events(environment, Request("status"), options, stop, seen):
        if isinstance(event, StatusRead):
            return {row.version: row.state for row in event.rows}
    return {}
