"""Every operation on a Fly machine: the same words, events and exit codes as here."""

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tasks.runner.errors import RefusedError, ReportedError
from tasks.runner.events import ErrorRaised, HistoryRead, NoticeRaised, PlanMade, RunFinished, RunStarted, from_json
from tasks.runner.files.schema_file import NAME
from tasks.runner.operations.requests import Request
from tests.fly.operating import ENGINEER, Far, work_far
from tests.fly.terminals import open_dialogue
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A, B, C

STAGED = "--env=staging"
_CHANGING = re.compile(
    r"run [0-9a-f]{8}|test_\d+_\d+|\d+ ms|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\((staging|local)\)|[0-9a-f]{8}$", re.MULTILINE
)


def leave_out_what_changes(text: str) -> list[str]:
    return _CHANGING.sub("…", text).split()


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database) -> Iterator[Far]:
    with work_far(fly, project, database) as far:
        yield far


def test_the_words_are_those_of_a_run_here(far: Far, new_database: Callable[[], Database]) -> None:
    far.operator.write_tables(A, B)
    far.operator.write(C, "CREATE TABLE c ();\nVACUUM;\nDO $$ BEGIN RAISE NOTICE 'done'; END $$;", "DROP TABLE c;")
    far.operator.project.write_seed("001_one", "INSERT INTO a VALUES (1);")
    far.deploy()
    chain = ("db.migrate", "db.seed", "db.status", "db.rollback", "--steps=2")
    here = far.inv(*chain, DATABASE_URL=new_database().url)
    there = far.inv(*(word for task in chain for word in ((task, STAGED) if task.startswith("db.") else (task,))))
    # Only a run on the local database writes the file that shows the schema.
    words = "".join(line for line in here.stdout.splitlines(keepends=True) if NAME not in line)
    assert leave_out_what_changes(there.stdout) == leave_out_what_changes(words)
    assert there.stderr == here.stderr == ""
    assert far.operator.read_tables() == ["a"]


def test_with_json_the_events_pass_through_and_nothing_else(far: Far) -> None:
    far.operator.write_tables(A, B)
    far.operator.project.write_seed("001_one", "DO $$ BEGIN RAISE WARNING 'careful'; END $$;")
    far.deploy()
    chain = [word for task in ("db.migrate", "db.seed", "db.history") for word in (task, STAGED, "--json")]
    result = far.inv(*chain)
    events = [from_json(line) for line in result.stdout.splitlines()]
    assert result.stderr == ""
    assert [event.action for event in events if isinstance(event, RunFinished)] == ["migrate", "seed"]
    assert isinstance(events[-1], HistoryRead)
    assert not {json.loads(line)["kind"] for line in result.stdout.splitlines()} & {"heartbeat", "files_read"}


def test_letters_of_all_alphabets_arrive_whole(far: Far) -> None:
    far.operator.write(A, "DO $$ BEGIN RAISE NOTICE '%', repeat('aä€🐘', 40000); END $$;")
    far.deploy()
    (notice,) = far.run_request().pick(NoticeRaised)
    assert notice.message == "aä€🐘" * 40000


def test_the_log_names_the_engineer_and_the_run(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()
    (started,) = far.run_request().pick(RunStarted)
    assert (started.environment, started.actor) == ("staging", ENGINEER)
    assert {(row.actor, row.run_id) for row in far.operator.read_history()} == {(ENGINEER, started.run_id)}
    assert far.operator.read_status().rows[0].applied_by == ENGINEER


def test_a_dry_run_shows_the_plan_and_changes_nothing(far: Far) -> None:
    far.operator.write_tables(A, B)
    far.deploy()
    ended = far.run_request(Request("migrate", to=A, dry_run=True))
    (plan,) = ended.pick(PlanMade)
    assert [step.version for step in plan.steps] == [A]
    assert ended.pick(RunFinished)[0].dry_run
    assert far.operator.read_tables() == []


def test_flags_arrive_over_there(far: Far) -> None:
    far.operator.write_tables(A, B, C)
    far.deploy()
    far.run_request(Request("migrate", to=B))
    assert far.operator.read_tables() == ["a", "b"]
    far.run_request(Request("rollback", to="0"))
    assert far.operator.read_tables() == []
    assert len(far.run_request(Request("history", version=A, limit=1)).pick(HistoryRead)[0].rows) == 1


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
def test_the_exit_code_is_that_of_the_run_there(far: Far, request_: Request, exit_code: int, message: str) -> None:
    far.operator.write_tables(B)
    far.operator.migrate(environment="staging")
    far.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    far.deploy()
    ended = far.run_request(request_)
    assert isinstance(ended.error, ReportedError)
    assert ended.error.exit_code == exit_code
    assert [message in error.message for error in ended.pick(ErrorRaised)] == ([True] if message else [])
    assert far.operator.read_tables() == ["b"]


def test_a_failure_over_there_looks_as_it_does_here(far: Far) -> None:
    far.operator.write(A, "CREATE TABLE a ();\nSELECT 1/0;")
    far.deploy()
    result = far.inv("db.migrate", STAGED, check=1)
    assert f"❌ Failed {A}: division by zero" in result.stdout
    assert f"migrations/up/{A}.sql:2" in result.stdout
    assert f"State: {A} was rolled back completely." in result.stdout
    assert result.stderr == ""


def test_a_database_that_says_it_is_another_environment_is_refused(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate(environment="prod")
    far.operator.write_tables(B)
    far.deploy()
    ended = far.run_request()
    assert isinstance(ended.error, ReportedError)
    assert ended.error.exit_code == 3
    assert "this run is for staging, but the database belongs to prod" in ended.describe()
    assert far.operator.read_tables() == ["a"]


def test_a_repair_is_confirmed_with_yes(far: Far) -> None:
    far.operator.write_tables(A, B)
    far.operator.migrate()
    far.operator.write(A, "CREATE TABLE a (id bigint);")
    far.operator.remove(B)
    far.deploy()
    result = far.inv("db.repair", STAGED, "--yes")
    assert "✅ Repaired the ledger: 2 changes" in result.stdout
    assert result.stdout.count("🔧") == 2
    assert result.stdout.count("Repairing") == 1
    assert far.operator.read_states() == {A: "applied"}
    assert far.operator.read_history(version=A)[0].actor == ENGINEER


def test_each_change_of_a_repair_is_confirmed_at_a_terminal(far: Far) -> None:
    far.operator.write_tables(A, B)
    far.operator.migrate()
    far.operator.write(A, "CREATE TABLE a (id bigint);")
    far.operator.remove(B)
    far.deploy()
    with open_dialogue(far, "db.repair", STAGED) as dialogue:
        dialogue.await_words(f"record checksum of {A}? [y/N] ")
        dialogue.answer("y")
        dialogue.await_words(f"drop row of {B}? [y/N] ")
        dialogue.answer("n")
        assert dialogue.finish() == 0
    assert "✅ Repaired the ledger: 1 change" in dialogue.output
    assert "Nothing to repair" not in dialogue.output
    assert far.operator.read_states() == {A: "applied", B: "missing"}


def test_ctrl_c_at_a_question_of_a_repair_changes_nothing(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate()
    far.operator.write(A, "CREATE TABLE a (id bigint);")
    far.deploy()
    with open_dialogue(far, "db.repair", STAGED) as dialogue:
        dialogue.await_words("[y/N] ")
        dialogue.interrupt()
        assert dialogue.finish() == 1
    assert far.operator.read_states() == {A: "edited"}


def test_a_repair_without_a_terminal_wants_yes(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate()
    far.operator.write(A, "CREATE TABLE a (id bigint);")
    far.deploy()
    ended = far.run_request(Request("repair"), json=True)
    assert isinstance(ended.error, RefusedError)
    assert "--yes" in ended.error.hint
    assert ended.pick(RunFinished) == []
    assert far.operator.read_states() == {A: "edited"}


def test_a_repair_with_nothing_to_do_asks_nothing(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate()
    far.deploy()
    assert [event.steps for event in far.run_request(Request("repair"), json=True).pick(RunFinished)] == [0]


def test_environments_are_migrated_in_the_order_that_was_named(far: Far, new_database: Callable[[], Database]) -> None:
    far.operator.write_tables(A)
    far.deploy()
    other = new_database()
    far.fly.add_app("gaia-gateway-dev", other, files=far.operator.project.root)
    result = far.inv("db.migrate", "--env=staging,dev")
    assert re.findall(r"\((\w+)\), run", result.stdout) == ["staging", "dev"]
    assert far.operator.read_tables() == ["a"]
    assert other.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'") == [("dev",)]


def test_the_first_environment_that_fails_is_the_last(far: Far, new_database: Callable[[], Database]) -> None:
    far.operator.write_tables(A)
    far.deploy()
    other = new_database()
    other.execute("CREATE TABLE a ()")
    far.fly.add_app("gaia-gateway-dev", other, files=far.operator.project.root)
    result = far.inv("db.migrate", "--env=dev,staging", check=1)
    assert re.findall(r"\((\w+)\), run", result.stdout) == ["dev"]
    assert far.operator.read_tables() == []


def test_an_unknown_environment_is_refused_before_the_first_is_touched(far: Far) -> None:
    far.operator.write_tables(A)
    far.deploy()
    result = far.inv("db.migrate", "--env=staging,moon", check=2)
    assert "there is no environment moon" in result.stderr
    assert far.operator.read_tables() == []


@pytest.mark.parametrize("command", ["db.migrate", "db.repair", "env.check"])
def test_a_misspelt_setting_of_the_machine_is_one_warning_on_stderr(far: Far, command: str) -> None:
    far.operator.write_tables(A)
    far.deploy(variables={"LOCK_TIMOUT": "1s"})
    result = far.inv(command, STAGED, "--json")
    warning = "WARNING: LOCK_TIMOUT in the process environment is not a setting; did you mean LOCK_TIMEOUT?"
    assert result.stderr.splitlines() == [f"{warning} (on the machine)"]
    assert all(from_json(line) for line in result.stdout.splitlines())
