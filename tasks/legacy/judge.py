"""Classify old files on scratch: what each does in its order, or which other file makes it fail or have no effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tasks.legacy.needs import Need
from tasks.legacy.ordering import Chosen, Order, Replays
from tasks.legacy.verdicts import Classification, Others, describe_failure, is_empty, judge_error, moves_rows, rank_causes
from tasks.legacy.watching import EXACT, Seen, watch
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.scratch.roles import find_created
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError

_RUNS = 1500
"""How many files are run in total to find the causes of failures."""
_EXISTS = frozenset({"42P07", "42710", "42723", "42701", "42P06", "42P16"})
"""Duplicate table, object, function, column, schema, or key."""


class Judge:
    """Classifies files by their effect on scratch.

    `fixed` are files that are not replayed: name, text and classification. `outside` finds a file outside the clean-up that
    creates what is needed. `exact` reads the schema after each file, as `outcomes` need it, also if there are many.
    """

    def __init__(
        self,
        server: ScratchServer,
        migrations: Mapping[int, RehearsedMigration],
        replays: Replays,
        *,
        fixed: Sequence[tuple[str, str, Classification]] = (),
        outside: Callable[[Need], str] = lambda _: "",
        exact: bool = False,
        timeout_s: float | None = None,
    ) -> None:
        self._server = server
        self._migrations = migrations
        self._replays = replays
        self._fixed = fixed
        self._outside = outside
        self._exact = exact
        self._timeout_s = timeout_s
        self._order: Order = ()
        self._names: dict[int, frozenset[str]] = {}
        self._budget = _RUNS
        self._verdicts: dict[int, Classification] = {}
        self.outcomes: dict[int, Outcome] = {}
        """The outcome of each file in its order."""

    def judge(self, chosen: Chosen) -> dict[int, Classification]:
        """Return the classification of each file in its order."""
        self._order = chosen.order
        migrations = [self._migrations[index] for index in chosen.order]
        exact = self._exact or len(migrations) <= EXACT
        seen = watch(self._server, migrations, exact=exact, timeout_s=self._timeout_s)
        for index, each in zip(chosen.order, seen, strict=True):
            self.outcomes[index] = each.outcome
            if each.outcome.error is None:
                self._names[index] = each.names
            self._verdicts[index] = self._judge(index, each)
        return self._verdicts

    def _judge(self, index: int, seen: Seen) -> Classification:
        text, outcome = self._migrations[index].up, seen.outcome
        if is_empty(text):
            return Classification("no change", "contains no statement")
        if outcome.error is not None:
            message = describe_failure(outcome.error)
            cause = self._find_cause(index, message, outcome.error)
            earlier = [
                (self._migrations[other].name, self._migrations[other].up, self._verdicts[other])
                for other in self._list_before(index)
            ]
            later = [(each.name, each.up) for other in self._list_after(index) for each in [self._migrations[other]]]
            return judge_error(outcome.error, text, cause, Others([*self._fixed, *earlier], later, self._outside))
        if outcome.lacking:
            first = outcome.lacking[0]
            # Whatever it is, the target can have it, as with an extension: the file is not set aside.
            need = Need("extension", first.lack.name)
            return Classification("needs", f"needs {first.lack}, so this is not checked: {first.shown}", need=need)
        if seen.schema:
            roles = self._list_wanted_roles(outcome)
            return Classification("works", f"the target must have the role {', '.join(roles)}" if roles else "")
        if outcome.unchecked:
            return Classification("works", f"not checked: {outcome.unchecked[0]}")
        return self._judge_idle(index, seen)

    def _list_wanted_roles(self, outcome: Outcome) -> list[str]:
        """Return the roles that a file names and no file creates; the rehearsal made them."""
        created = {name for each in self._migrations.values() for name in find_created(each.up)} if outcome.roles else set()
        return [role for role in outcome.roles if role not in created]

    def _judge_idle(self, index: int, seen: Seen) -> Classification:
        """Return the classification of a file that does not change the schema."""
        if seen.rows:
            return Classification("data only", "changes rows, but not the schema")
        cause = self._find_cause(index, "", None)
        if cause:
            return Classification("no change", f"has no effect after {cause}, which creates the same", cause)
        if moves_rows(self._migrations[index].up):
            return Classification("data only", "changes rows if there are any; on scratch there were none")
        return Classification("no change", "changes neither the schema nor a row")

    def _find_cause(self, index: int, message: str, error: RunnerError | None) -> str:
        """Return the name of the file without which this one works, or has an effect.

        Each trial replays the files before. When the budget is used up, the names decide: of what exists already, or is created
        again.
        """
        before = self._list_before(index)
        names = {other: self._names[other] for other in before if other in self._names}
        for other in rank_causes(self._migrations[index].up, message, names):
            left = tuple(each for each in before if each != other)
            if len(left) > self._budget:
                return self._migrations[other].name if error is None or error.sqlstate in _EXISTS else ""
            self._budget -= len(left)
            works = self._replays.run((*left, index))[index] is None if error else self._replays.changes_schema(left, index)
            if works:
                return self._migrations[other].name
        return ""

    def _list_before(self, index: int) -> Order:
        return self._order[: self._order.index(index)]

    def _list_after(self, index: int) -> Order:
        return self._order[self._order.index(index) + 1 :]
