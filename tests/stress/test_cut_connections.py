"""The connection breaks at any burst of a run: before the server gets it, in the middle of it, or before its answer arrives."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.runner.errors import RunnerError
from tasks.runner.events import Event
from tasks.runner.operations.migrate import migrate
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.cutting import Cut, start_cutting_relay
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import Operator, list_done
from tests.stress.states import copy_of
from tests.stress.three_files import VERSIONS, check_agrees, check_report, prepare


def run_until_cut(operator: Operator) -> tuple[list[str], RunnerError | None]:
    """Migrate, and return the versions that were reported as finished, and the error."""
    events: list[Event] = []
    try:
        events.extend(migrate(operator.make_runner(), MigrateGoal()))
    except RunnerError as error:
        return list_done(events), error
    return list_done(events), None


@pytest.mark.only_newest
@pytest.mark.parametrize("share", [0.0, 0.6, 1.0], ids=["before", "within", "after"])
def test_a_connection_that_breaks_anywhere_leaves_ledger_and_schema_in_agreement(
    share: float, project: Project, database: Database, short_path: Path
) -> None:
    operator = Operator(project, database)
    prepare(operator)
    with copy_of(database) as copy, start_cutting_relay(short_path / "uncut", copy) as relay:
        replace(operator, database=copy, url=relay.url).migrate()
        first = next(number for number, burst in enumerate(relay.bursts) if b"INSERT INTO trace" in burst)
    for number in itertools.count(first):
        with copy_of(database) as copy, start_cutting_relay(short_path / f"{number}", copy, cut=Cut(number, share)) as relay:
            done, error = run_until_cut(replace(operator, database=copy, url=relay.url))
            if len(relay.bursts) < number:
                break
            check_report(error, done, check_agrees(copy))
            assert replace(operator, database=copy).migrate()
            assert check_agrees(copy) == VERSIONS
    assert number > first + len(VERSIONS)
