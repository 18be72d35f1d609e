"""Models of every feature: created by a migration, then changed by one that is proved both ways, and no difference after each."""

from collections.abc import Sequence

import pytest

from tasks.generation.proposal import MigrationProposal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tests.models.zoo import CASES, GROUPS, list_cases
from tests.models.zoo.case import ZooCase
from tests.models.zoo_trial import ZooTrial, find_lost_renames

pytestmark = pytest.mark.newest


@pytest.mark.timeout(600)  # A test that fails tries each case alone.
@pytest.mark.parametrize("group", GROUPS)
def test_each_change_of_models_is_a_proved_migration(scratch: ScratchServer, group: str) -> None:
    major = scratch.version // 10000
    try:
        prove(scratch, list_cases(group, major), f"{group}_{major}")
    except (AssertionError, RunnerError):
        # The cases share their databases, because that is faster. Alone, the one that fails is named.
        for case in list_cases(group, major):
            prove(scratch, [case], case.name)
        raise


def prove(server: ScratchServer, cases: Sequence[ZooCase], name: str) -> None:
    trial = ZooTrial(server, cases)
    trial.migrate(f"BEFORE.{name}")
    assert trial.check(f"BEFORE.{name}").changes.changes == (), name
    before = list(trial.base)
    proposal = trial.migrate(f"AFTER.{name}", renames=trial.renames)
    assert [case.name for case in cases if not is_changed(case, proposal)] == []
    assert trial.check(f"AFTER.{name}").changes.changes == (), name
    assert find_lost_renames(server, before, trial.base, cases) == []


def is_changed(case: ZooCase, proposal: MigrationProposal) -> bool:
    """Return whether a proposal changes or renames anything whose name contains that of a case."""
    keys = [change.key for change in proposal.changes.changes] + [rename.new for rename in proposal.renames]
    return any(case.name in f"{key.name} {key.parent}" for key in keys)


def test_there_are_more_than_forty_cases_with_names_of_their_own() -> None:
    assert len(CASES) == sum(map(len, GROUPS.values())) > 40
    assert len({case.title for case in CASES.values()}) == len(CASES)
