"""Each rule finds its bad example; its good ones do the same, run up, down and up again, and lint clean."""

import pytest

from tasks.lint.ignoring import IGNORE_RULES
from tasks.lint.model import LintRule
from tasks.lint.rules import OFF, RULES
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verify import VerifyOptions, verify
from tests.lint.linting import lint_all, make_migrations

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=BY_NAME.keys())
def test_a_rule_finds_its_bad_example(scratch: ScratchServer, rule: LintRule) -> None:
    found, _ = lint_all(scratch, rule.setup, [rule.bad])
    assert rule.name in {each.rule for each in found}


@pytest.mark.parametrize("rule", RULES, ids=BY_NAME.keys())
def test_the_good_example_of_a_rule_is_clean(scratch: ScratchServer, rule: LintRule) -> None:
    found, finished = lint_all(scratch, rule.setup, rule.good)
    assert (found, finished.not_checked) == ([], ())


@pytest.mark.parametrize("rule", RULES, ids=BY_NAME.keys())
def test_the_good_example_of_a_rule_goes_up_down_and_up_again(scratch: ScratchServer, rule: LintRule) -> None:
    migrations = make_migrations(rule.setup, rule.good)
    selection = Selection(migrations, tuple(each.name for each in migrations[1:]), "chosen")
    *_, finished = verify(scratch, selection, VerifyOptions())
    assert getattr(finished, "found", None) == 0


def test_the_names_of_rules_are_unique() -> None:
    assert len(BY_NAME) == len(RULES)
    assert not BY_NAME.keys() & IGNORE_RULES.keys()


def test_a_rule_of_squawk_is_on_or_off_for_a_reason() -> None:
    ours = {"changing-column-type", "adding-not-nullable-field"}
    assert BY_NAME.keys() & OFF.keys() == ours
    assert all(reason.endswith(".") for reason in OFF.values())
