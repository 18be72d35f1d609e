"""Asking which queries the migrations break."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.compat.answer import CompatQuestion, answer, build_question, build_route
from tasks.compat.events import CompatChecked, QueryBroken, QueryChanged
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.events import QueriesRead, RunningQuery

BASE = "20250101000000_base"
FIRST = "20250102000000_first"
SECOND = "20250103000000_second"
NAMES = (FIRST, SECOND, "20250104000000_third")


@dataclass(frozen=True)
class CompatAnswer:
    """What the command found."""

    broken: list[QueryBroken]
    changed: list[QueryChanged]
    end: CompatChecked

    def list_breaks(self) -> list[tuple[str, int, str]]:
        """Return file, line and SQLSTATE of each query that breaks."""
        return [(each.version, each.line, each.sqlstate) for each in self.broken]


def make_question(*queries: str | RunningQuery) -> CompatQuestion:
    """Return the question for queries as pg_stat_statements has them."""
    read = [each if isinstance(each, RunningQuery) else RunningQuery(each, 60) for each in queries]
    return build_question(QueriesRead("prod", "db", 180000, tuple(read)), "prod")


def ask(
    scratch: ScratchServer,
    base: str,
    pending: str | Sequence[str | RehearsedMigration],
    *queries: str | RunningQuery,
) -> CompatAnswer:
    """Return what pending files break of queries, after a base that is applied."""
    texts = [pending] if isinstance(pending, str) else pending
    applied = [RehearsedMigration(BASE, base)]
    following = [
        each if isinstance(each, RehearsedMigration) else RehearsedMigration(name, each)
        for name, each in zip(NAMES, texts, strict=False)
    ]
    names = tuple(each.name for each in following)
    selection = Selection((*applied, *following), names, "pending", frozenset({BASE}))
    events = list(answer(scratch, make_question(*queries), build_route(selection, applied, pending=True)))
    end = events[-1]
    assert isinstance(end, CompatChecked)
    return CompatAnswer(
        [each for each in events if isinstance(each, QueryBroken)],
        [each for each in events if isinstance(each, QueryChanged)],
        end,
    )
