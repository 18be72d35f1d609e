"""Classify old files on scratch: what each does in its order, or which other file makes it fail or have no effect."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.catalog import Difference
from tasks.legacy.ordering import Chosen, Order, Replays
from tasks.legacy.verdicts import Classification, Need, describe_failure, is_empty, judge_error, moves_rows, rank_causes
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import replay, run_migration, state_after, try_migration
from tasks.rehearsal.rows.contents import Contents, read_rows
from tasks.rehearsal.scratch.roles import find_created
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.database.session import connect

_PLATFORM_ROLES = frozenset({"anon", "authenticated", "authenticator", "service_role", "supabase_admin", "supabase_auth_admin"})
"""The roles that only a database of Supabase has: https://supabase.com/docs/guides/database/postgres/roles"""


class Judge:
    """Classifies files by their effect on scratch."""

    def __init__(
        self,
        server: ScratchServer,
        migrations: Mapping[int, RehearsedMigration],
        replays: Replays,
        *,
        timeout_s: float | None = None,
    ) -> None:
        self._server = server
        self._migrations = migrations
        self._replays = replays
        self._timeout_s = timeout_s
        self._order: Order = ()
        self._effects: dict[int, Difference] = {}
        self._verdicts: dict[int, Classification] = {}
        self.outcomes: dict[int, Outcome] = {}
        """The outcome of each file in its order."""

    def judge(self, chosen: Chosen) -> dict[int, Classification]:
        """Return the classification of each file in its order."""
        self._order = chosen.order
        outcomes = replay(self._server, [self._migrations[index] for index in chosen.order], timeout_s=self._timeout_s)
        for index, outcome in zip(chosen.order, outcomes, strict=True):
            self.outcomes[index] = outcome
            if outcome.error is None:
                self._effects[index] = outcome.effect
            self._verdicts[index] = self._judge(index, outcome)
        return self._verdicts

    def _judge(self, index: int, outcome: Outcome) -> Classification:
        text = self._migrations[index].up
        if is_empty(text):
            return Classification("no change", "contains no statement")
        if outcome.error is not None:
            message = describe_failure(outcome.error)
            cause = self._find_cause(index, message, fails=True)
            earlier = [
                (self._migrations[other].name, self._migrations[other].up, self._verdicts[other])
                for other in self._list_before(index)
            ]
            makers = [migration.up for other, migration in self._migrations.items() if other != index]
            return judge_error(outcome.error, text, cause, earlier, makers)
        if outcome.lacking:
            first = outcome.lacking[0]
            # Whatever it is, the target can have it, as with an extension: the file is not set aside.
            need = Need("extension", first.lack.name)
            return Classification("needs", f"needs {first.lack}, so this is not checked: {first.shown}", need=need)
        roles = self._list_wanted_roles(outcome)
        platform = next((role for role in roles if role in _PLATFORM_ROLES), "")
        if platform:
            need = Need("role", platform)
            return Classification("needs", f"needs {need}: only Supabase has it, and no file creates it", need=need)
        if outcome.effect:
            return Classification("works", f"the target must have the role {', '.join(roles)}" if roles else "")
        if outcome.unchecked:
            return Classification("works", f"not checked: {outcome.unchecked[0]}")
        return self._judge_idle(index)

    def _list_wanted_roles(self, outcome: Outcome) -> list[str]:
        """Return the roles that a file names and no file creates; the rehearsal made them."""
        created = {name for each in self._migrations.values() for name in find_created(each.up)} if outcome.roles else set()
        return [role for role in outcome.roles if role not in created]

    def _judge_idle(self, index: int) -> Classification:
        """Return the classification of a file that does not change the schema."""
        if self._changes_rows(index):
            return Classification("data only", "changes rows, but not the schema")
        cause = self._find_cause(index, "", fails=False)
        if cause:
            return Classification("no change", f"has no effect after {cause}, which creates the same", cause)
        if moves_rows(self._migrations[index].up):
            return Classification("data only", "changes rows if there are any; on scratch there were none")
        return Classification("no change", "changes neither the schema nor a row")

    def _changes_rows(self, index: int) -> bool:
        done = self._list_done(self._list_before(index))
        with state_after(self._server, done, timeout_s=self._timeout_s) as database:
            before = _read_rows(database)
            run_migration(database, self._migrations[index], "up", timeout_s=self._timeout_s)
            return _read_rows(database) != before

    def _find_cause(self, index: int, message: str, *, fails: bool) -> str:
        """Return the name of the file without which this one works, or has an effect."""
        before = self._list_before(index)
        effects = {other: self._effects[other] for other in before if other in self._effects}
        for other in rank_causes(self._migrations[index].up, message, effects):
            left = tuple(each for each in before if each != other)
            if self._replays.run((*left, index))[index] is None and (fails or self._does_something(left, index)):
                return self._migrations[other].name
        return ""

    def _does_something(self, before: Order, index: int) -> bool:
        with state_after(self._server, self._list_done(before), timeout_s=self._timeout_s) as database:
            return bool(try_migration(database, self._migrations[index], "up", timeout_s=self._timeout_s).effect)

    def _list_before(self, index: int) -> Order:
        return self._order[: self._order.index(index)]

    def _list_done(self, order: Order) -> list[RehearsedMigration]:
        errors = self._replays.run(order)
        return [self._migrations[index] for index in order if errors[index] is None]


def _read_rows(database: ScratchDatabase) -> dict[str, Contents]:
    with connect(database.url, name="migrate-cleanup") as connection:
        return read_rows(connection)
