"""Guarded environments: a change is confirmed by typing the name of the environment after its plan was shown."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tasks.commands.confirm import confirm_guarded
from tasks.options import Options
from tasks.runner.errors import RefusedError
from tasks.runner.events import Event
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A

DEFAULT_OPTIONS = Options()
PROD = "gaia-gateway-prod"
TASK = ("db.migrate", "--env=prod")
QUESTION = "This will change prod. Type prod to continue: "


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A)
        remote.deploy(PROD)
        yield remote


def fail_when_opened(_request: Request) -> Iterator[Event]:
    raise AssertionError("nothing may be opened")


def confirm(remote: RemoteOperator, request: Request, options: Options = DEFAULT_OPTIONS, name: str = "prod") -> None:
    confirm_guarded(remote.load(name), request, options, Stop(), fail_when_opened)


def test_typing_the_name_after_the_plan_confirms_the_change(remote: RemoteOperator) -> None:
    with open_dialogue(remote, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        assert A in dialogue.output
        assert remote.operator.read_tables() == []
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    assert remote.operator.read_tables() == ["a"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [("production", "you typed 'production', not 'prod'"), ("", "not confirmed"), (None, "not confirmed")],
    ids=["another name", "nothing", "Ctrl-C"],
)
def test_any_other_answer_changes_nothing(remote: RemoteOperator, answer: str | None, message: str) -> None:
    with open_dialogue(remote, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        dialogue.interrupt() if answer is None else dialogue.answer(answer)
        assert dialogue.finish() == 3
        assert message in dialogue.output
    assert remote.operator.read_tables() == []


def test_a_plan_without_steps_needs_no_confirmation(remote: RemoteOperator) -> None:
    remote.operator.migrate(environment="prod")
    with open_dialogue(remote, *TASK) as dialogue:
        assert dialogue.finish() == 0
        assert "Type prod" not in dialogue.output
        assert "the database is up to date" in dialogue.output


def test_without_a_terminal_yes_is_required(remote: RemoteOperator) -> None:
    refused = remote.inv(*TASK, check=3)
    assert "prod is guarded and asks for confirmation, but the input is not a terminal" in refused.stderr
    assert "inv db.migrate --env=prod --yes" in refused.stderr
    assert remote.fly.calls == []
    remote.inv(*TASK, "--yes")
    assert remote.operator.read_tables() == ["a"]


@pytest.mark.parametrize("command", ["migrate", "rollback", "seed", "repair"])
@pytest.mark.parametrize("options", [DEFAULT_OPTIONS, Options(json=True), Options(upload=True)], ids=["plain", "json", "upload"])
def test_every_command_that_writes_is_guarded(remote: RemoteOperator, command: str, options: Options) -> None:
    with pytest.raises(RefusedError, match="prod is guarded") as refused:
        confirm(remote, Request(command), options)
    assert refused.value.exit_code == 3
    assert ("--upload" in refused.value.message) == options.upload
    confirm(remote, Request(command), replace(options, yes=True))


@pytest.mark.parametrize("request_", [Request("status"), Request("history"), Request("migrate", dry_run=True)])
def test_a_command_that_only_reads_is_not_guarded(remote: RemoteOperator, request_: Request) -> None:
    confirm(remote, request_)
    assert remote.operator.read_tables() == []


def test_an_upload_to_a_guarded_environment_is_refused_even_at_a_terminal(remote: RemoteOperator) -> None:
    with open_dialogue(remote, *TASK, "--upload") as dialogue:
        assert dialogue.finish() == 3
        assert "files there that were not deployed" in dialogue.output
    assert remote.fly.calls == []


def test_the_setting_guarded_selects_the_guarded_environments(remote: RemoteOperator) -> None:
    remote.variables["GUARDED"] = "staging, dev"
    remote.variables["FLY_APP_STAGING"] = PROD
    with pytest.raises(RefusedError, match="staging is guarded"):
        confirm(remote, Request("migrate"), name="staging")
    confirm(remote, Request("migrate"), name="prod")
    assert remote.load("dev").guarded
