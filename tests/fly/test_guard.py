"""Guarded environments: a change is confirmed by typing the name of the environment after its plan was shown."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tasks.commands.confirm import choose_approval
from tasks.options import Options
from tasks.runner.errors import RefusedError
from tasks.runner.events import PlanMade
from tasks.runner.files.schema_file import SchemaFile
from tasks.runner.operations.migrate import Approve
from tasks.runner.operations.requests import Request
from tasks.runner.signals import Stop
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B, C

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


def choose(remote: RemoteOperator, request: Request, options: Options = DEFAULT_OPTIONS, name: str = "prod") -> Approve | None:
    return choose_approval(remote.load(name), request, options, Stop())


def at_dev(remote: RemoteOperator) -> dict[str, str]:
    """Return settings of a guarded environment `dev`, whose database is reached by a URL."""
    return {"GUARDED": "dev,prod", "DATABASE_URL": remote.operator.database.url}


def test_typing_the_name_after_the_plan_confirms_the_change(remote: RemoteOperator) -> None:
    with open_dialogue(remote, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        assert A in dialogue.output
        assert remote.operator.read_tables() == []
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    assert remote.operator.read_tables() == ["a"]


def test_the_plan_is_made_once_on_one_connection_and_another_one_reads_the_running_queries(remote: RemoteOperator) -> None:
    with open_dialogue(remote, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    assert [call[:2] for call in remote.fly.calls].count(["ssh", "issue"]) == 2
    assert [dialogue.output.count(words) for words in ("The plan: ", "Found 1 migration file", f"Applied {A}")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "words"),
    [("prod", "the plan is no longer"), ("dev", "the plan has changed since it was made")],
    ids=["on Fly", "by a URL"],
)
def test_a_plan_that_is_overtaken_at_the_prompt_is_refused_and_the_new_one_shown(
    remote: RemoteOperator, name: str, words: str
) -> None:
    remote.operator.write_tables(B)
    remote.operator.migrate(environment=name)
    remote.operator.write_tables(C)
    with open_dialogue(remote, "db.rollback", f"--env={name}", **at_dev(remote)) as dialogue:
        dialogue.await_words(f"Type {name} to continue: ")
        assert f"1. {B}" in dialogue.output
        remote.operator.migrate(environment=name)
        dialogue.answer(name)
        assert dialogue.finish() == 3
    after = " ".join(dialogue.output.partition("to continue: ")[2].split())
    assert "The plan now: 1 migration would be rolled back" in after
    assert f"1. {C}" in after
    assert words in after
    assert remote.operator.read_applied() == [A, B, C]


def test_a_plan_can_be_run_by_the_id_of_its_dry_run(remote: RemoteOperator) -> None:
    dry_run = remote.inv(*TASK, "--dry-run", "--json").stdout.splitlines()
    (plan_id,) = [event["plan_id"] for event in map(json.loads, dry_run) if event["kind"] == "plan_made"]
    assert f"--plan={plan_id} instead of --dry-run" in remote.inv(*TASK, "--dry-run").stdout
    other = remote.inv(*TASK, "--yes", f"--plan={'0' * 12}", check=3)
    assert "The plan now: 1 migration would be applied" in other.stdout
    assert remote.operator.read_tables() == []
    remote.inv(*TASK, "--yes", f"--plan={plan_id}")
    assert remote.operator.read_tables() == ["a"]


@pytest.mark.parametrize("text", ["", "abc", "ABCDEF012345"])
def test_a_text_that_is_not_the_id_of_a_plan_is_wrong_usage(remote: RemoteOperator, text: str) -> None:
    for command in ("db.migrate", "db.rollback", "db.seed"):
        assert "is not the id of a plan" in remote.inv(command, "--env=prod", f"--plan={text}", check=2).stderr
    assert "is not the id of a plan" in remote.operator.project.migrate("migrate", f"--plan={text}", check=2).stderr


def test_a_repair_asks_for_each_change_and_then_for_the_name(remote: RemoteOperator) -> None:
    remote.operator.migrate(environment="prod")
    remote.operator.database.execute("UPDATE schema_migrations SET checksum = NULL")
    with open_dialogue(remote, "db.repair", "--env=prod") as dialogue:
        dialogue.await_words("[y/N] ")
        dialogue.answer("y")
        dialogue.await_words(QUESTION)
        assert remote.operator.database.query("SELECT checksum FROM schema_migrations") == [(None,)]
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    assert [call[:2] for call in remote.fly.calls].count(["ssh", "issue"]) == 1
    assert remote.operator.database.query("SELECT checksum IS NULL FROM schema_migrations") == [(False,)]


def test_a_guarded_database_is_not_loaded_before_it_is_confirmed(remote: RemoteOperator) -> None:
    path = remote.operator.project.migrations / "schema.sql"
    checksum = hashlib.sha256((remote.operator.project.migrations / "up" / f"{A}.sql").read_bytes()).hexdigest()
    path.write_text(SchemaFile("CREATE TABLE a (id int);", {A: checksum}).write())
    with open_dialogue(remote, "db.load", "--env=dev", **at_dev(remote)) as dialogue:
        dialogue.await_words("Type dev to continue: ")
        assert remote.operator.read_tables() == []
        dialogue.answer("no")
        assert dialogue.finish() == 3
    assert remote.operator.read_tables() == []


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


@pytest.fixture
def dev(remote: RemoteOperator, new_database: Callable[[], Database]) -> Database:
    """Return the database of the app of dev, which is not guarded."""
    database = new_database()
    remote.fly.add_app("gaia-gateway-dev", database, files=remote.operator.project.root)
    return database


def test_without_a_terminal_no_environment_is_changed_if_a_later_one_is_guarded(remote: RemoteOperator, dev: Database) -> None:
    refused = remote.inv("db.migrate", "--to=20250101", "--env=dev,prod", check=3)
    assert "prod is guarded and asks for confirmation" in refused.stderr
    assert "inv db.migrate --env=dev,prod --to=20250101 --yes" in refused.stderr
    assert dev.query("SELECT to_regclass('a')::text") == [(None,)]


@pytest.mark.parametrize(("answer", "code", "table"), [("no", 3, None), ("prod", 0, "a")])
def test_all_guarded_environments_are_confirmed_before_the_first_is_changed(
    remote: RemoteOperator, dev: Database, answer: str, code: int, table: str | None
) -> None:
    with open_dialogue(remote, "db.migrate", "--env=dev,prod") as dialogue:
        dialogue.await_words(QUESTION)
        assert dev.query("SELECT to_regclass('a')::text") == [(None,)]
        dialogue.answer(answer)
        assert dialogue.finish() == code
    assert dev.query("SELECT to_regclass('a')::text") == [(table,)]
    assert remote.operator.database.query("SELECT to_regclass('a')::text") == [(table,)]


@pytest.mark.parametrize("command", ["migrate", "rollback", "seed", "repair"])
@pytest.mark.parametrize("options", [DEFAULT_OPTIONS, Options(json=True), Options(upload=True)], ids=["plain", "json", "upload"])
def test_every_command_that_writes_is_guarded(remote: RemoteOperator, command: str, options: Options) -> None:
    with pytest.raises(RefusedError, match="prod is guarded") as refused:
        choose(remote, Request(command), options)
    assert refused.value.exit_code == 3
    assert ("--upload" in refused.value.message) == options.upload
    assert choose(remote, Request(command), replace(options, yes=True)) is None


@pytest.mark.parametrize("request_", [Request("status"), Request("history"), Request("migrate", dry_run=True)])
def test_a_command_that_only_reads_is_not_guarded(remote: RemoteOperator, request_: Request) -> None:
    assert choose(remote, request_) is None
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
        choose(remote, Request("migrate"), name="staging")
    assert choose(remote, Request("migrate"), name="prod") is None
    assert remote.load("dev").guarded


def make_older(remote: RemoteOperator) -> None:
    """Apply a version, and leave its ledger as one from before digests were logged, and the down text only in it."""
    remote.operator.migrate()
    remote.operator.database.execute(
        "ALTER TABLE schema_migrations_log DROP COLUMN up_digest, DROP COLUMN down_digest, DROP COLUMN up_text_digest,"
        " DROP COLUMN down_text_digest; UPDATE schema_migrations_meta SET value = '1' WHERE key = 'additions'"
    )
    remote.operator.remove(A)
    remote.deploy()


def test_a_stored_text_that_cannot_be_verified_is_confirmed_with_yes_or_not_run(remote: RemoteOperator) -> None:
    make_older(remote)
    refused = remote.run_request(Request("rollback"))
    assert f"the stored down text of {A} needs a confirmation" in refused.describe()
    assert refused.error is not None
    assert refused.error.exit_code == 3
    assert "needs a confirmation" in remote.operator.project.migrate("rollback", check=3).stderr
    assert remote.operator.read_tables() == ["a"]
    result = remote.run_request(Request("rollback"), yes=True)
    assert result.error is None
    assert len(result.pick(PlanMade)) == 1
    assert remote.operator.read_tables() == []


def test_a_stored_text_that_cannot_be_verified_is_asked_about_in_a_terminal(remote: RemoteOperator) -> None:
    make_older(remote)
    with open_dialogue(remote, "db.rollback", "--env=staging") as dialogue:
        dialogue.await_words(f"Run the stored down text of {A}, which cannot be verified? [y/N] ")
        assert "DROP TABLE a" in dialogue.output
        dialogue.answer("n")
        assert dialogue.finish() == 3
    assert remote.operator.read_tables() == ["a"]
    assert "Rolled back" in remote.operator.project.migrate("rollback", "--yes").stdout
    assert remote.operator.read_tables() == []


@pytest.fixture
def rewriting(remote: RemoteOperator) -> RemoteOperator:
    """Return a remote operator whose pending migration rewrites a table with rows."""
    remote.operator.migrate(environment="prod", fly_app=PROD)
    remote.operator.database.execute("INSERT INTO a SELECT generate_series(1, 200000); ANALYZE a")
    remote.operator.write(B, "ALTER TABLE a ALTER COLUMN id TYPE bigint;")
    remote.deploy(PROD)
    return remote


def test_the_forecast_of_an_app_has_its_numbers_and_is_shown_before_the_question(rewriting: RemoteOperator) -> None:
    with open_dialogue(rewriting, *TASK) as dialogue:
        dialogue.await_words(QUESTION)
        assert "Forecast for prod:" in dialogue.output
        assert f"{B}.sql:1" in dialogue.output
        assert "sizes, activity and durations" not in dialogue.output
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    shown = rewriting.inv("db.history", "--env=prod", "--locks").stdout.splitlines()
    assert any("forecast" in line.split() for line in shown), shown


def test_long_blocking_of_an_app_is_refused_with_yes_too(rewriting: RemoteOperator) -> None:
    refused = rewriting.inv(*TASK, "--yes", check=3, MAX_BLOCKING="1ms")
    assert "would keep all queries out of public.a" in refused.stderr
    assert "inv db.migrate --env=prod --yes --allow-blocking" in refused.stderr
    rewriting.inv(*TASK, "--yes", "--allow-blocking", check=0, MAX_BLOCKING="1ms")


def test_uploaded_files_are_forecast_and_removed_whether_they_run_or_not(rewriting: RemoteOperator) -> None:
    for exit_code, flags in ((3, ()), (0, ("--allow-blocking",))):
        done = rewriting.inv(*TASK, "--yes", "--upload", *flags, check=exit_code, MAX_BLOCKING="1ms")
        assert "Forecast for prod:" in done.stdout
        rewriting.assert_clean()
