"""Every operation on a Fly machine: the same output, events and exit codes as in a local run."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tasks.runner.errors import RefusedError, ReportedError
from tasks.runner.events import ErrorRaised, HistoryRead, NoticeRaised, PlanMade, RunFinished, RunStarted, from_json
from tasks.runner.files.schema_file import NAME
from tasks.runner.operations.requests import Request
from tests.fly.operating import ENGINEER, RemoteOperator, operate_remotely
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B, C
from tests.stress.blocking import waiting

STAGED = "--env=staging"
_VARIABLE_PARTS = re.compile(
    r"run [0-9a-f]{8}|test_\d+_\d+|\d+ ms|[\d.]+ s\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\((staging|local)\)|[0-9a-f]{8}$",
    re.MULTILINE,
)


def split_without_variable_parts(text: str) -> list[str]:
    return _VARIABLE_PARTS.sub("…", text).split()


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        yield remote


def test_the_output_is_that_of_a_local_run(remote: RemoteOperator, new_database: Callable[[], Database]) -> None:
    remote.operator.write_tables(A, B)
    remote.operator.write(C, "CREATE TABLE c ();\nVACUUM;\nDO $$ BEGIN RAISE NOTICE 'done'; END $$;", "DROP TABLE c;")
    remote.operator.project.write_seed("001_one", "INSERT INTO a VALUES (1);")
    remote.deploy()
    chain = ("db.migrate", "db.seed", "db.status", "db.rollback", "--steps=2")
    local_result = remote.inv(*chain, DATABASE_URL=new_database().url)
    remote_result = remote.inv(*(word for task in chain for word in ((task, STAGED) if task.startswith("db.") else (task,))))
    # Only a run on the local database writes the file that shows the schema.
    words = "".join(line for line in local_result.stdout.splitlines(keepends=True) if NAME not in line)
    assert split_without_variable_parts(remote_result.stdout) == split_without_variable_parts(words)
    assert remote_result.stderr == local_result.stderr == ""
    assert remote.operator.read_tables() == ["a"]


@pytest.mark.parametrize("flags", ["", " --json"])
def test_a_full_disk_on_the_laptop_does_not_stop_the_run_on_the_machine(remote: RemoteOperator, flags: str) -> None:
    remote.operator.write_tables(A, B)
    remote.deploy()
    command = f"{sys.executable} -m invoke --search-root {REPOSITORY} db.migrate {STAGED}{flags} >/dev/full"
    project = remote.operator.project
    result = subprocess.run(
        ["bash", "-c", command],
        cwd=project.root,
        env=project._environment(remote.env),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, remote.operator.read_applied()) == (1, [A, B])
    assert result.stderr.startswith("ERROR: stdout could not be written: No space left on device.")


def test_with_json_the_events_pass_through_and_nothing_else(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B)
    remote.operator.project.write_seed("001_one", "DO $$ BEGIN RAISE WARNING 'careful'; END $$;")
    remote.deploy()
    chain = [word for task in ("db.migrate", "db.seed", "db.history") for word in (task, STAGED, "--json")]
    result = remote.inv(*chain)
    events = [from_json(line) for line in result.stdout.splitlines()]
    assert result.stderr == ""
    assert [event.action for event in events if isinstance(event, RunFinished)] == ["migrate", "seed"]
    assert isinstance(events[-1], HistoryRead)
    assert not {json.loads(line)["kind"] for line in result.stdout.splitlines()} & {"heartbeat", "files_read"}


def test_text_in_any_alphabet_arrives_unchanged(remote: RemoteOperator) -> None:
    remote.operator.write(A, "DO $$ BEGIN RAISE NOTICE '%', repeat('aä€🐘', 40000); END $$;")
    remote.deploy()
    (notice,) = remote.run_request().pick(NoticeRaised)
    assert notice.message == "aä€🐘" * 40000


def test_the_log_names_the_engineer_and_the_run(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    (started,) = remote.run_request().pick(RunStarted)
    assert (started.environment, started.actor) == ("staging", ENGINEER)
    assert {(row.actor, row.run_id) for row in remote.operator.read_history()} == {(ENGINEER, started.run_id)}
    assert remote.operator.read_status().rows[0].applied_by == ENGINEER


def test_a_dry_run_shows_the_plan_and_changes_nothing(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B)
    remote.deploy()
    result = remote.run_request(Request("migrate", to=A, dry_run=True))
    (plan,) = result.pick(PlanMade)
    assert [step.version for step in plan.steps] == [A]
    assert result.pick(RunFinished)[0].dry_run
    assert remote.operator.read_tables() == []


def test_flags_reach_the_machine(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B, C)
    remote.deploy()
    remote.run_request(Request("migrate", to=B))
    assert remote.operator.read_tables() == ["a", "b"]
    remote.run_request(Request("rollback", to="0"))
    assert remote.operator.read_tables() == []
    assert len(remote.run_request(Request("history", version=A, limit=1)).pick(HistoryRead)[0].rows) == 1


@pytest.mark.parametrize(
    ("request_", "exit_code", "message"),
    [
        (Request("migrate", strict=True), 3, f"{A} is older than {B}"),
        (Request("migrate", to="2024"), 2, "there is no version 2024"),
        (Request("migrate"), 1, "division by zero"),
        (Request("status", check=True), 4, ""),
    ],
    ids=["refused", "wrong usage", "failed", "found"],
)
def test_the_exit_code_is_that_of_the_run_on_the_machine(
    remote: RemoteOperator, request_: Request, exit_code: int, message: str
) -> None:
    remote.operator.write_tables(B)
    remote.operator.migrate(environment="staging")
    remote.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    remote.deploy()
    result = remote.run_request(request_)
    assert isinstance(result.error, ReportedError)
    assert result.error.exit_code == exit_code
    assert [message in error.message for error in result.pick(ErrorRaised)] == ([True] if message else [])
    assert remote.operator.read_tables() == ["b"]


def test_a_failure_on_the_machine_is_printed_like_a_local_one(remote: RemoteOperator) -> None:
    remote.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    remote.deploy()
    result = remote.inv("db.migrate", STAGED, check=1)
    assert f"❌ Failed {A}: division by zero" in result.stdout
    assert f"migrations/up/{A}.sql:2" in result.stdout
    assert f"State: {A} was rolled back completely." in result.stdout
    assert result.stderr == ""


def test_a_database_of_another_environment_is_refused(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate(environment="prod")
    remote.operator.write_tables(B)
    remote.deploy()
    result = remote.run_request()
    assert isinstance(result.error, ReportedError)
    assert result.error.exit_code == 3
    assert "this run is for staging, but the database belongs to prod" in result.describe()
    assert remote.operator.read_tables() == ["a"]


def test_a_repair_is_confirmed_with_yes(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B)
    remote.operator.migrate()
    remote.operator.write(A, "CREATE TABLE a (id bigint);")
    remote.operator.remove(B)
    remote.deploy()
    result = remote.inv("db.repair", STAGED, "--yes")
    assert "✅ Repaired the ledger: 2 changes" in result.stdout
    assert result.stdout.count("🔧") == 2
    assert result.stdout.count("Repairing") == 1
    assert remote.operator.read_states() == {A: "applied"}
    assert remote.operator.read_history(version=A)[0].actor == ENGINEER


def test_each_change_of_a_repair_is_confirmed_at_a_terminal(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A, B)
    remote.operator.migrate()
    remote.operator.write(A, "CREATE TABLE a (id bigint);")
    remote.operator.remove(B)
    remote.deploy()
    with open_dialogue(remote, "db.repair", STAGED) as dialogue:
        dialogue.await_words(f"Record the text of {A} as the applied one? ")
        dialogue.answer("y")
        dialogue.await_words(f"Forget {B}? ")
        dialogue.answer("n")
        assert dialogue.finish() == 0
    assert "✅ Repaired the ledger: 1 change" in dialogue.output
    assert "Nothing to repair" not in dialogue.output
    assert remote.operator.read_states() == {A: "applied", B: "missing"}


def test_ctrl_c_at_a_question_of_a_repair_changes_nothing(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate()
    remote.operator.write(A, "CREATE TABLE a (id bigint);")
    remote.deploy()
    with open_dialogue(remote, "db.repair", STAGED) as dialogue:
        dialogue.await_words("[y/N] ")
        dialogue.interrupt()
        assert dialogue.finish() == 1
    assert remote.operator.read_states() == {A: "edited"}


def test_a_repair_without_a_terminal_requires_yes(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate()
    remote.operator.write(A, "CREATE TABLE a (id bigint);")
    remote.deploy()
    result = remote.run_request(Request("repair"), json=True)
    assert isinstance(result.error, RefusedError)
    assert "--yes" in result.error.hint
    assert result.pick(RunFinished) == []
    assert remote.operator.read_states() == {A: "edited"}


def test_a_repair_with_nothing_to_do_asks_nothing(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate()
    remote.deploy()
    assert [event.steps for event in remote.run_request(Request("repair"), json=True).pick(RunFinished)] == [0]


def test_environments_are_migrated_in_the_given_order(remote: RemoteOperator, new_database: Callable[[], Database]) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    other = new_database()
    remote.fly.add_app("gaia-gateway-dev", other, files=remote.operator.project.root)
    result = remote.inv("db.migrate", "--env=staging,dev")
    assert re.findall(r"\((\w+)\), run", result.stdout) == ["staging", "dev"]
    assert remote.operator.read_tables() == ["a"]
    assert other.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("dev",)]


def test_the_run_stops_at_the_first_environment_that_fails(remote: RemoteOperator, new_database: Callable[[], Database]) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    other = new_database()
    other.execute("CREATE TYPE a AS ENUM ()")
    remote.fly.add_app("gaia-gateway-dev", other, files=remote.operator.project.root)
    result = remote.inv("db.migrate", "--env=dev,staging", check=1)
    assert re.findall(r"\((\w+)\), run", result.stdout) == ["dev"]
    assert remote.operator.read_tables() == []


def test_an_unknown_environment_is_refused_before_the_first_is_migrated(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    result = remote.inv("db.migrate", "--env=staging,moon", check=2)
    assert "there is no environment moon" in result.stderr
    assert remote.operator.read_tables() == []


@pytest.mark.parametrize("command", ["db.migrate", "db.repair", "env.check"])
def test_a_misspelt_setting_of_the_machine_is_one_warning_on_stderr(remote: RemoteOperator, command: str) -> None:
    remote.operator.write_tables(A)
    remote.deploy(variables={"LOCK_TIMOUT": "1s"})
    result = remote.inv(command, STAGED, "--json")
    warning = "WARNING: LOCK_TIMOUT in the process environment is not a setting; did you mean LOCK_TIMEOUT?"
    assert result.stderr.splitlines() == [f"{warning} (on the machine)"]
    assert all(from_json(line) for line in result.stdout.splitlines())


def test_a_blocker_is_shown_and_ended_over_fly_after_a_question(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.deploy()
    remote.operator.migrate()
    database = remote.operator.database
    with database.connect(autocommit=False) as other, ExitStack() as stack:
        other.execute("LOCK TABLE a")
        stack.enter_context(waiting(database, "SELECT * FROM a"))
        stack.callback(other.close)
        pid = other.info.backend_pid
        assert f"pid {pid} " in remote.inv("db.blockers", STAGED).stdout
        refused = remote.inv("db.blockers", STAGED, f"--kill={pid}", check=3)
        assert "this needs confirmation, but the input is not a terminal" in refused.stderr
        with open_dialogue(remote, "db.blockers", STAGED, f"--kill={pid}") as dialogue:
            dialogue.await_words("[y/N]")
            dialogue.answer("n")
            assert dialogue.finish() == 0
            assert "none confirmed" in dialogue.output
        with open_dialogue(remote, "db.blockers", STAGED, f"--kill={pid}") as dialogue:
            dialogue.await_words("Connecting to staging")
            dialogue.await_words("[y/N]")
            dialogue.answer("y")
            assert dialogue.finish() == 0
            assert f"Ended pid {pid}" in dialogue.output
            assert dialogue.output.count(f"pid {pid} (") == 1
        assert database.query("SELECT FROM pg_stat_activity WHERE pid = %s", pid) == []
