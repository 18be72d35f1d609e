"""Choose the migrations to rehearse: those that are pending in an environment, all, or one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.commands.dispatch import Ask, open_events
from tasks.config.environments import LOCAL, PROJECT, Environment
from tasks.options import Options
from tasks.rehearsal.model import read_migration_pairs
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tasks.runner.errors import ConnectError, UsageError
from tasks.runner.events import StatusRead
from tasks.runner.files.checkout import read_migrations
from tasks.runner.operations.requests import Request
from tasks.runner.planning.choice import find_version

if TYPE_CHECKING:
    from tasks.runner.signals import Stop

_APPLIED = frozenset({"applied", "edited", "missing"})
"""The states of applied versions; an image on Fly may lack the file of one."""
_DIFFERING = frozenset({"edited", "missing"})
_UNKNOWN = StatusRead("", "", (), (), 0)


@dataclass(frozen=True, slots=True)
class Selector:
    """Which migrations to rehearse: some (comma-separated), all, or those that are pending in the environment."""

    only: str = ""
    all: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for flags that contradict each other."""
        if self.only and self.all:
            raise UsageError(
                "--only and --all contradict each other", hint="Leave one of them out.", state="Nothing was changed."
            )


def pick(
    environment: Environment, selector: Selector, options: Options, stop: Stop, seen: list[str], ask: Ask | None = None
) -> Selection:
    """Read the files and return the selection; the ledger is read only if neither some nor all are selected.

    It is read with `ask` if a connection to the environment is open.
    A file that the environment's status does not list is pending too: an image on Fly may not contain it yet. If the local
    database does not exist, all are selected. Raises RunnerError.
    """
    migrations = read_migrations(environment.settings.migrations_dir)
    rehearsed = read_migration_pairs(migrations)
    versions = tuple(migrations.checksums)
    name = environment.name
    if selector.only:
        chosen = tuple(sorted({find_version(each.strip(), versions) for each in selector.only.split(",")}))
        reason = "the one selected" if len(chosen) == 1 else "those selected"
        return Selection(rehearsed, chosen, reason, environment=name, server_version=_read_version(environment))
    if selector.all:
        return Selection(rehearsed, versions, "all", environment=name, server_version=_read_version(environment))
    if environment.name == LOCAL and not is_running(environment):
        return Selection(rehearsed, versions, "all, since no local database shows which are pending")
    try:
        events = ask(Request("status")) if ask else open_events(environment, Request("status"), options, stop, seen)
        status = next((event for event in events if isinstance(event, StatusRead)), _UNKNOWN)
    except ConnectError:
        if environment.name != LOCAL:
            raise
        return Selection(rehearsed, versions, "all, since the local database cannot be read")
    states = {row.version: row.state for row in status.rows}
    applied = frozenset(version for version in versions if states.get(version) in _APPLIED)
    chosen = tuple(version for version in versions if version not in applied)
    differing = {row.version: row.state for row in status.rows if row.state in _DIFFERING}
    return Selection(rehearsed, chosen, f"pending in {name}", applied, name, status.server_version, differing)


def is_running(environment: Environment) -> bool:
    """Return True if the local environment has a database, without starting one."""
    from tasks.postgres.server import embedded

    return bool(environment.settings.database_url) or embedded.find_running(PROJECT / ".postgres") is not None


def _read_version(environment: Environment) -> int:
    """Return the version of the server of an environment that is reached by a URL, 0 if it is not known.

    Raises RefusedError if the server is too old.
    """
    url = environment.settings.database_url
    if environment.name == LOCAL or not url:
        return 0
    try:
        with connect(url, name="migrate-read") as connection:
            return connection.info.server_version
    except ConnectError:
        return 0  # These migrations can be rehearsed without the environment.
