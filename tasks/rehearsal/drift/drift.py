"""Find drift, changes outside of migrations, by replaying the applied texts on a scratch database.

The texts come from the database's ledger, so a checkout that is ahead or behind does not cause false findings. They run only if
the log vouches for them (tasks.runner.ledger.vouching).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from tasks.catalog import Catalog, Difference, align, compare, divide, mask_difference, read_catalog
from tasks.rehearsal.drift.unfinished import PartialScript, describe_unfinished, exclude_leftovers, read_partial
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration, read_pair
from tasks.rehearsal.replay.left_out import LeftOut, exclude_left_out
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.opening import check_version
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.command_lines import compose_command
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError
from tasks.runner.events import CatalogRead, Event, StoredScript, event
from tasks.runner.files.checkout import Migrations
from tasks.runner.ledger.expected_schema import sum_catalog, sum_difference
from tasks.runner.ledger.tool_tables import exclude_tool_tables
from tasks.runner.ledger.vouching import describe_unkept
from tasks.runner.operations.requests import Request
from tasks.runner.operations.schema import build_catalog

_MOST_NAMED = 5
_UNCOMPARED = ("owners", "subscriptions", "the settings of databases and roles (ALTER DATABASE … SET, ALTER ROLE … SET)")


@event("drift_read")
@dataclass(frozen=True, slots=True)
class DriftRead(Event):
    """The difference between the schema after the applied migrations and the actual one."""

    environment: str
    database: str
    versions: int
    objects: int
    changes: Difference
    unchecked: tuple[str, ...] = ()
    """The statements that were skipped in the replay."""
    unfinished: tuple[str, ...] = ()
    """The migrations of which only a part is applied; that part is no drift."""
    unknown: str = ""
    """Why the texts and unfinished attempts of the ledger are not known, if they may not be read."""
    replaced: tuple[str, ...] = ()
    """The migrations whose stored text may not run, and why; their files ran instead."""
    mild: Difference = field(default_factory=Difference)
    """The changes that are no drift: another order of columns, and what an upgrade of the server leaves."""
    uncompared: tuple[str, ...] = ()
    """What the comparison does not read."""


@event("migration_written")
@dataclass(frozen=True, slots=True)
class MigrationWritten(Event):
    """A migration that was written for a drift, and verified on scratch."""

    environment: str
    version: str
    paths: tuple[str, ...]
    by_hand: tuple[str, ...] = ()
    """The orders of columns, and the names of constraints and indexes, that differ and no statement changes."""
    problem: str = ""
    """Always empty: a pair that was not verified is refused."""
    irreversible: str = ""
    """Why the down contains no statements; empty if it reverts the up."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The two schemas of a comparison, and the migrations that lead to the expected one."""

    migrations: tuple[RehearsedMigration, ...]
    expected: Catalog
    live: Catalog
    left_out: tuple[LeftOut, ...]
    """The statements that were left out of the replay: what they make is not compared."""
    partial: tuple[PartialScript, ...] = ()

    @property
    def changes(self) -> Difference:
        """Return the difference from the expected schema to the live one, without what is no drift."""
        return self._divide()[0]

    @property
    def mild(self) -> Difference:
        """Return the part of the difference that is no drift: see tasks.catalog.comparing.divide."""
        return self._divide()[1]

    def _divide(self) -> tuple[Difference, Difference]:
        found = exclude_left_out(exclude_leftovers(compare(self.expected, self.live), self.partial), self.left_out)
        return divide(found, self.live.server_version)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Return the statements that were left out, as they are shown."""
        return tuple(entry.shown for entry in self.left_out)


def find_drift(read: CatalogRead, files: Migrations | None, server: ScratchServer, *, timeout_s: float | None = None) -> Drift:
    """Replay the applied migrations in the order of their history, and compare the schemas.

    The committed parts of unfinished migrations are replayed too. Raises RunnerError if neither the ledger nor this checkout has
    a text that may run, or if one fails on scratch.
    """
    check_version(server, read.server_version)
    migrations = choose_texts(read.scripts, files, read.unknown, environment=read.environment)
    partial = tuple(read_partial(attempt, read.scripts, files) for attempt in read.unfinished)
    parts = tuple(script.build() for script in partial)
    with _replay(server, migrations, parts, timeout_s) as scratch:
        left_out = read_left_out(scratch)
        lacking = [NotChecked(each.shown, each.lack) for each in left_out if each.lack]
        refuse_lacks(lacking, server.version, embedded=server.embedded, what="not compared")
        with connect(scratch.url, name="migrate-drift") as connection:
            expected = read_catalog(connection)
    live = exclude_tool_tables(build_catalog(read), made=expected)
    return Drift(migrations, *align(expected, live), left_out, partial)


@contextmanager
def _replay(
    server: ScratchServer,
    migrations: tuple[RehearsedMigration, ...],
    parts: tuple[RehearsedMigration, ...],
    timeout_s: float | None,
) -> Iterator[ScratchDatabase]:
    """Yield a scratch database after the migrations, in the order of the history or, if that fails, in that of their names.

    An adopted migration may have taken effect after one that is older by name and was recorded later.
    """
    by_name = tuple(sorted(migrations, key=lambda migration: migration.name))
    with ExitStack() as stack:
        try:
            database = stack.enter_context(state_after(server, (*migrations, *parts), timeout_s=timeout_s))
        except RunnerError:
            if by_name == migrations:
                raise
            database = stack.enter_context(state_after(server, (*by_name, *parts), timeout_s=timeout_s))
        yield database


def choose_texts(
    scripts: tuple[StoredScript, ...], files: Migrations | None, unread: str = "", *, environment: str = ""
) -> tuple[RehearsedMigration, ...]:
    """Return the applied texts: those that the log vouches for, or else files with the recorded checksum. Raises RunnerError.

    `unread` is why those of the ledger are not known, if they may not be read.
    """
    migrations, unknown = [], []
    for script in scripts:
        if script.up_text is not None and script.vouched:
            migrations.append(
                RehearsedMigration(script.version, script.up_text, script.down_text, shown=f"{script.version} (as applied)")
            )
        elif files is not None and _is_the_file(files, script):
            pair = read_pair(script.version, files.up_path(script.version))
            migrations.append(replace(pair, down=script.down_text if script.vouched else None))
        else:
            unknown.append(script)
    if unknown:
        raise _describe_unknown(unknown, unread, environment)
    return tuple(migrations)


def list_replaced(scripts: tuple[StoredScript, ...]) -> tuple[str, ...]:
    """Return the versions whose stored text did not run, and why not; their files of this checkout ran instead."""
    return tuple(f"{script.version}: {reason}" for script in scripts if (reason := _find_reason(script)))


def _describe_unknown(unknown: list[StoredScript], unread: str, environment: str) -> RunnerError:
    """Return the error for versions without a text that may run: without them, the others cannot be compared."""
    more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
    absent = ", ".join(script.version for script in unknown[:_MOST_NAMED])
    reasons = "".join(
        f"\n  {script.version}: {reason}" for script in unknown[:_MOST_NAMED] if (reason := _explain_absence(script))
    )
    what = f"the applied text of {absent}{more} is {unread}" if unread else f"the ledger does not have the text of {absent}{more}"
    return RunnerError(
        f"not compared: {what}, and this checkout has no file with the recorded checksum{reasons}",
        hint="Check out the revision that was deployed, or compare the schema with the files: "
        + compose_command("db.adopt", env=environment),
        state="Nothing was changed.",
    )


def _find_reason(script: StoredScript) -> str:
    """Return why the stored text may not run, or an empty text if it may or there is none."""
    if script.vouched:
        return script.reason and f"the stored text does not run: {script.reason}"
    if script.up_text is None:
        return ""
    return "the stored text does not run: the machine has an older version of this tool, which does not check it"


def _explain_absence(script: StoredScript) -> str:
    """Return why the stored text cannot run, empty if the reason is not known."""
    return _find_reason(script) if script.size is None else describe_unkept(script.size)


def _is_the_file(files: Migrations, script: StoredScript) -> bool:
    """Return True if a file may have the applied text; a row without a checksum was inserted by hand, and contradicts none."""
    return script.version in files.checksums and (not script.checksum or files.matches(script.version, script.checksum))


def answer(read: CatalogRead, drift: Drift) -> Iterator[DriftRead]:
    """Yield the difference as an event."""
    unfinished = tuple(map(describe_unfinished, read.unfinished))
    yield DriftRead(
        read.environment,
        read.database,
        len(drift.migrations),
        len(drift.live),
        mask_difference(drift.changes),
        drift.unchecked,
        unfinished,
        read.unknown,
        list_replaced(read.scripts),
        mask_difference(drift.mild),
        _UNCOMPARED,
    )


def compose_settlement(read: CatalogRead, drift: Drift) -> Request | None:
    """Return the request that makes db.status agree with a comparison; None if it does already, or if it does not watch."""
    if not read.status or drift.unchecked or read.status == ("drifted" if drift.changes else "clean"):
        return None
    total, offset = sum_catalog(build_catalog(read)), sum_difference(drift.changes)
    return Request("settle", version=f"{total:x}", agree=(f"{offset:x}",))
