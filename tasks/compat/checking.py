"""The check: prepare every query before and after each pending migration on scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tasks.compat.model import CheckedQuery, PreparedQuery, QueryBreak, QueryChange
from tasks.compat.preparing import open_preparer
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tasks.runner.events import LeftOutQueries

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Route:
    """The migrations before the check, those that are run one by one, and the versions of these that are checked.

    With `only_running`, the queries that cannot be prepared before the first one are left out: the code that runs now does not
    use them. Otherwise those that cannot be prepared before any of them are.
    """

    before: tuple[RehearsedMigration, ...]
    following: tuple[RehearsedMigration, ...]
    checked: frozenset[str]
    only_running: bool = True


@dataclass
class Findings:
    """What was found: the breaks and changes, the queries that could not be checked, the error of a migration."""

    breaks: list[QueryBreak] = field(default_factory=list)
    changes: list[QueryChange] = field(default_factory=list)
    left_out: dict[CheckedQuery, str] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    failed: tuple[RehearsedMigration, RunnerError] | None = None
    types: dict[CheckedQuery, tuple[int, ...]] = field(default_factory=dict)
    """The types that were found for parameters, as OIDs."""


def check_queries(
    server: ScratchServer, route: Route, queries: Sequence[CheckedQuery], *, timeout_s: float | None = None
) -> Findings:
    """Return what the migrations of a route do to the queries; raises RunnerError if those before them fail on scratch."""
    findings = Findings()
    with state_after(server, route.before, timeout_s=timeout_s) as scratch:
        lacking = [NotChecked(each.shown, each.lack) for each in read_left_out(scratch) if each.lack]
        refuse_lacks(lacking, server.version, embedded=server.embedded, what="the queries were not checked")
        states = _States(queries, findings, route)
        with open_preparer(scratch.url, findings.types) as preparer:
            states.begin(preparer.prepare(queries, guess=True), preparer.read_state())
        with Rehearsal(scratch, timeout_s=timeout_s) as rehearsal:
            for migration in route.following:
                trial = rehearsal.run(migration, "up")
                findings.unchecked += trial.unchecked
                if trial.error is not None:
                    findings.failed = migration, trial.error
                    break
                refuse_lacks(
                    trial.lacking, server.version, embedded=server.embedded, what=f"{migration.name} was not checked completely"
                )
                # Its session is a new one: the rehearsal may have to end those of others.
                with open_preparer(scratch.url, findings.types) as preparer:
                    state = preparer.read_state()
                    if state != states.state:
                        states.advance(migration.name, preparer.prepare(states.followed, guess=not route.only_running), state)
    states.finish()
    return findings


class _States:
    """The queries in the states of the schema so far, and what has changed in each."""

    def __init__(self, queries: Sequence[CheckedQuery], findings: Findings, route: Route) -> None:
        self.followed = tuple(queries)
        self.state: tuple[object, ...] = ()
        self._findings = findings
        self._route = route
        self._now: dict[CheckedQuery, PreparedQuery] = {}
        self._worked: set[CheckedQuery] = set()
        self._broken: dict[CheckedQuery, int] = {}
        """The place in the breaks of the one that lasts."""

    def begin(self, prepared: Mapping[CheckedQuery, PreparedQuery], state: tuple[object, ...]) -> None:
        """Note the state before the first migration."""
        self._now, self.state = dict(prepared), state
        self._worked = {query for query, each in prepared.items() if each.problem is None}
        for query, each in prepared.items():
            if each.problem is not None:
                self._findings.left_out[query] = f"{each.problem.sqlstate} {each.problem.message}"
        if self._route.only_running:
            self.followed = tuple(query for query in self.followed if query in self._worked)

    def advance(self, version: str, prepared: Mapping[CheckedQuery, PreparedQuery], state: tuple[object, ...]) -> None:
        """Note the state after a migration, and what it broke, repaired or changed."""
        checked = version in self._route.checked
        for query, after in prepared.items():
            before = self._now[query]
            if after.problem is None:
                self._worked.add(query)
                self._repair(query, version)
                if before.problem is None and checked:
                    self._compare(query, version, before, after)
            elif before.problem is None and checked:
                self._broken[query] = len(self._findings.breaks)
                self._findings.breaks.append(QueryBreak(query, version, after.problem))
        self._now.update(prepared)
        self.state = state

    def finish(self) -> None:
        """Keep as left out what could be prepared in none of the states."""
        left_out = self._findings.left_out
        for query in self._worked if not self._route.only_running else ():
            left_out.pop(query, None)

    def _repair(self, query: CheckedQuery, version: str) -> None:
        place = self._broken.pop(query, None)
        if place is not None:
            found = self._findings.breaks[place]
            self._findings.breaks[place] = QueryBreak(query, found.version, found.problem, version)

    def _compare(self, query: CheckedQuery, version: str, before: PreparedQuery, after: PreparedQuery) -> None:
        changes = describe_changes(before, after)
        if changes:
            self._findings.changes.append(QueryChange(query, version, changes))


def describe_changes(before: PreparedQuery, after: PreparedQuery) -> tuple[str, ...]:
    """Return what is different in the result and the parameters of a query that can be prepared in both states."""
    if (before.columns, before.parameters) == (after.columns, after.parameters):
        return ()
    old, new = dict(before.columns), dict(after.columns)
    found = [f"the result has a new column {name} ({kind})" for name, kind in new.items() if name not in old]
    found += [f"the result has no column {name} any more" for name in old if name not in new]
    found += [
        f"the column {name} of the result is {new[name]}, was {kind}" for name, kind in old.items() if new.get(name, kind) != kind
    ]
    if not found and before.columns != after.columns:
        found.append("the columns of the result are in another order")
    pairs = zip(before.parameters, after.parameters, strict=False)
    found += [f"the parameter ${number} is {now}, was {was}" for number, (was, now) in enumerate(pairs, 1) if now != was]
    return tuple(found)


def summarize_left_out(reasons: Collection[str], more: Sequence[LeftOutQueries] = ()) -> tuple[LeftOutQueries, ...]:
    """Return how many queries were left out by reason: the commonest of those that could not be prepared, and others as one."""
    counted = Counter(reasons).most_common()
    named = [LeftOutQueries(f"that cannot be prepared before: {reason}", number) for reason, number in counted[:_MOST_NAMED]]
    rest = sum(number for _, number in counted[_MOST_NAMED:])
    others = [LeftOutQueries("that cannot be prepared before, for other reasons", rest)] if rest else []
    return (*named, *others, *more)
