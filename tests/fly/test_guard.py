"""Guarded environments: whoever changes one sees the plan and types its name first."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tasks.commands.confirm import confirm_guarded
from tasks.options import Options
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop
from tests.fly.operating import Far, work_far
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A

PLAIN = Options()
PROD = "gaia-gateway-prod"
TASK = ("db.migrate", "--env=prod")
QUESTION = "This will change prod. Type prod to continue: "


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        far.operator.write_tables(A)
        far.deploy(PROD)
        yield far


def never(_request: Request) -> Iterator[Event]:
    raise AssertionError("nothing may be opened")


def confirm(far: Far, request: Request, options: Options = PLAIN, name: str = "prod") -> None:
    confirm_guarded(far.load(name), request, options, Stop(), never)


def test_who_types_the_name_sees_the_plan_first_and_changes_it(far: Far) -> None:
    with open_dialogue(far, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        assert A in dialogue.output
        assert far.operator.read_tables() == []
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    assert far.operator.read_tables() == ["a"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [("production", "you typed 'production', not 'prod'"), ("", "not confirmed"), (None, "not confirmed")],
    ids=["another name", "nothing", "Ctrl-C"],
)
def test_another_answer_than_the_name_changes_nothing(far: Far, answer: str | None, message: str) -> None:
    with open_dialogue(far, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        dialogue.interrupt() if answer is None else dialogue.answer(answer)
        assert dialogue.finish() == 3
        assert message in dialogue.output
    assert far.operator.read_tables() == []


def test_a_plan_without_steps_asks_nothing(far: Far) -> None:
    far.operator.migrate(environment="prod")
    with open_dialogue(far, *TASK) as dialogue:
        assert dialogue.finish() == 0
        assert "Type prod" not in dialogue.output
        assert "the database is up to date" in dialogue.output


def test_without_a_terminal_yes_is_needed(far: Far) -> None:
    refused = far.inv(*TASK, check=3)
    assert "prod is guarded and asks for confirmation, but the input is not a terminal" in refused.stderr
    assert "inv db.migrate --env=prod --yes" in refused.stderr
    assert far.fly.calls == []
    far.inv(*TASK, "--yes")
    assert far.operator.read_tables() == ["a"]


@pytest.mark.parametrize("command", ["migrate", "rollback", "seed", "repair"])
@pytest.mark.parametrize("options", [PLAIN, Options(json=True), Options(upload=True)], ids=["plain", "json", "upload"])
def test_all_that_writes_is_guarded(far: Far, command: str, options: Options) -> None:
    with pytest.raises(RefusedError, match="prod is guarded") as refused:
        confirm(far, Request(command), options)
    assert refused.value.exit_code == 3
    assert ("--upload" in refused.value.message) == options.upload
    confirm(far, Request(command), replace(options, yes=True))


@pytest.mark.parametrize("request_", [Request("status"), Request("history"), Request("migrate", dry_run=True)])
def test_what_only_looks_is_not_guarded(far: Far, request_: Request) -> None:
    confirm(far, request_)
    assert far.operator.read_tables() == []


def test_an_upload_to_a_guarded_environment_is_refused_even_at_a_terminal(far: Far) -> None:
    with open_dialogue(far, *TASK, "--upload") as dialogue:
        assert dialogue.finish() == 3
        assert "files there that were not deployed" in dialogue.output
    assert far.fly.calls == []


def test_the_setting_says_which_environments_are_guarded(far: Far) -> None:
    far.variables["GUARDED"] = "staging, dev"
    far.variables["FLY_APP_STAGING"] = PROD
    with pytest.raises(RefusedError, match="staging is guarded"):
        confirm(far, Request("migrate"), name="staging")
    confirm(far, Request("migrate"), name="prod")
    assert far.load("dev").guarded
