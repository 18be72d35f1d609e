"""Find out which migrations a schema has: replay the files on scratch, search all ways that lead to the schema, and judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasks.adopt.references import References
from tasks.adopt.row_changes import list_row_changes
from tasks.adopt.search import Effect, Graph, Search, Solution, find_effect, solve
from tasks.adopt.trials import TIMEOUT_S, Trials
from tasks.adopt.verdicts import Evidence, Verdict, judge_all, list_missing, list_unexplained
from tasks.catalog import Catalog, restrict, undo_upgrade
from tasks.rehearsal.lacks import find_lack_error
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import replay
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.ledger.tool_tables import exclude_tool_tables

_TRIALS, _TRIALS_EACH = 200, 5
"""How many trials there are at most: a fixed number, and more for each file."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search for the migrations of a schema."""

    verdicts: tuple[Verdict, ...]
    proved: bool
    """Whether replaying the present migrations on an empty database resulted in exactly this schema."""
    strangers: tuple[str, ...]
    """Objects that no migration explains."""
    lacking: tuple[str, ...]
    contradicted: tuple[str, ...] = ()
    """Versions whose claim the schema contradicts."""
    tried: int = 0
    """How many times a migration was tried on scratch."""
    own: int = 0
    """How many objects the schema has in addition to those of an empty database."""
    known: int = 0
    """How many of these some file creates as they are."""
    made: int = 0
    """How many objects all files create."""
    live: Catalog = field(default_factory=Catalog)
    """The schema without the tables of other tools."""


def investigate(
    server: ScratchServer, migrations: Sequence[RehearsedMigration], live: Catalog, *, forced: Mapping[str, bool] | None = None
) -> SearchResult:
    """Return which migrations lead to a schema; `forced` are claims whether some were applied.

    A claim counts unless the schema contradicts it; then it is reported as contradicted. The tables of other tools are left out,
    except for those that a migration makes.
    """
    # Of what needs something that the scratch server lacks, the effect is not known, and there may be no error.
    outcomes = [
        replace(outcome, error=outcome.error or find_lack_error(outcome.lacking))
        for outcome in replay(server, migrations, timeout_s=TIMEOUT_S)
    ]
    made = Catalog({key: text for outcome in outcomes for key, text in outcome.after.of_kind("table")})
    live = exclude_tool_tables(live, made)
    # The search compares texts, so they are made alike before.
    live = restrict(live, server.version)
    if outcomes:
        live = undo_upgrade(outcomes[-1].after, live)
    claimed = {index: forced[migration.name] for index, migration in enumerate(migrations) if forced and migration.name in forced}
    with Trials(server, migrations, limit=_TRIALS + _TRIALS_EACH * len(migrations)) as trials:
        empty = outcomes[0].before if outcomes else trials.read_empty()
        search = Search([References(migration.up) for migration in migrations], empty.objects, live.objects, trials.attempt)
        _teach(search, outcomes)
        graph, _ = search.run()
        solution, forced_indices = _agree(graph, claimed)
        known = Evidence(
            [migration.name for migration in migrations],
            live.objects,
            solution,
            _read_fallbacks(outcomes),
            _read_errors(outcomes, trials),
            forced_indices,
            {index: list_row_changes(migration) for index, migration in enumerate(migrations)},
            cut=bool(graph.cut),
        )
        proved = _prove(trials, solution, live)
    contradicted = tuple(migrations[index].name for index in claimed if index not in forced_indices)
    strangers = list_unexplained(known, empty.objects)
    own = live.objects.items() - empty.objects.items()
    seen = {item for outcome in outcomes for item in outcome.after.objects.items()}
    return SearchResult(
        judge_all(known),
        proved,
        strangers,
        list_missing(known),
        contradicted,
        trials.count + len(outcomes),
        own=len(own),
        known=len(own & seen),
        made=len(outcomes[-1].after.objects.items() - empty.objects.items()) if outcomes else 0,
        live=live,
    )


def _teach(search: Search, outcomes: Sequence[Outcome]) -> None:
    for index, outcome in enumerate(outcomes):
        search.observe(outcome.after.objects.items())
        if outcome.error is None:
            search.learn(index, find_effect(outcome.before, outcome.after))
    for index, outcome in enumerate(outcomes):
        effect = find_effect(outcome.before, outcome.after) if outcome.error is None else None
        search.prime(index, outcome.before.objects, effect)


def _agree(graph: Graph, claimed: Mapping[int, bool]) -> tuple[Solution, dict[int, bool]]:
    """Accept as many claims as the schema allows, in the order of the files."""
    solution = solve(graph, claimed)
    if solution is not None:
        return solution, dict(claimed)
    kept: dict[int, bool] = {}
    for index, applied in claimed.items():
        if solve(graph, {**kept, index: applied}) is not None:
            kept[index] = applied
    solution = solve(graph, kept)
    assert solution is not None, "without claims there is always a solution"
    return solution, kept


def _prove(trials: Trials, solution: Solution, live: Catalog) -> bool:
    if Catalog(solution.states[-1]) != live:
        return False
    path = tuple(index for index, edge in enumerate(solution.edges) if edge.applied)
    return trials.replay(path) == live


def _read_fallbacks(outcomes: Sequence[Outcome]) -> dict[int, Effect]:
    return {index: find_effect(each.before, each.after) for index, each in enumerate(outcomes) if each.error is None}


def _read_errors(outcomes: Sequence[Outcome], trials: Trials) -> dict[int, str]:
    """Return the first line of the error of a migration that never succeeded."""
    errors = {index: each.error for index, each in enumerate(outcomes) if each.error is not None}
    return {
        index: error.message.splitlines()[0]
        for index, error in (trials.errors | errors).items()
        if index in errors and index not in trials.worked
    }
