"""Alerts: `inv` as a process, and a real HTTP endpoint to which apprise sends."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.alerting.watcher import watch
from tasks.config.environments import Environment, load_environment
from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, ReportedError, RunnerError
from tasks.runner.events import ErrorRaised, Event, LockAwaited, RunStarted, StatementStarted
from tests.kit.checkouts import make_checkout
from tests.kit.databases import Database
from tests.kit.endpoints import REFUSING, SILENT, Endpoint, open_endpoint
from tests.kit.fly.world import set_trap
from tests.kit.forkserver import Running
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S, wait_until
from tests.runner.operating import A, B, Operator
from tests.stress.blocking import PASS_GATE, await_waiting_at_gate, gate_closed

# Some of apprise's many services import modules that Python is about to remove.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
STARTED = RunStarted("r-1", "migrate", "staging", "db", "me")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Yield an endpoint."""
    with open_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)


@pytest.fixture
def environment(endpoint: Endpoint, tmp_path: Path) -> Environment:
    """Return the environment staging, whose alerts are sent to the endpoint."""
    return load_environment("staging", project=tmp_path, environ={"ALERT_URLS": endpoint.url()})


def finish(process: Running, exit_code: int) -> str:
    """Wait for a process and return its stderr. Raise AssertionError if it exits with another code."""
    output, errors = process.communicate(timeout=LIMIT_S)
    assert process.returncode == exit_code, (output, errors)
    return errors


def test_a_failed_run_sends_one_message_with_the_state_and_the_next_step(operator: Operator, endpoint: Endpoint) -> None:
    operator.write_tables(A)
    operator.write(B, "CREATE TABLE b ();\nSELECT nothing FROM b;")
    env = {"ALERT_URLS": endpoint.url(), "MIGRATE_ACTOR": "carl"}
    result = operator.project.inv("db.migrate", env=env, check=1)
    assert "apprise" not in result.stderr
    assert endpoint.titles == ['❌ local: migrate failed: column "nothing" does not exist (42703)']
    rows = endpoint.read_rows()
    assert rows.pop("Who").startswith("carl on ")
    assert len(rows.pop("Run")) == 36
    assert rows == {
        "Environment": "local",
        "Migration": B,
        "Statement": "line 2: SELECT nothing FROM b",
        "Error": 'column "nothing" does not exist (42703)',
        "Where": f"migrations/up/{B}.sql:2:8",
        "State": f"{B} was rolled back completely. 1 earlier migration of this run stays applied.",
        "Next": "No column nothing exists at this point: check its name and its table, then run the command again.",
        "Commit": "unknown",
    }


def test_no_password_is_sent(operator: Operator, endpoint: Endpoint) -> None:
    project = operator.project.at(set_trap(operator.database.url))
    operator.write(A, "ALTER ROLE nobody_here PASSWORD 'hunter22';")
    project.inv("db.migrate", env={"ALERT_URLS": endpoint.url()}, check=1)
    ((_, content),) = endpoint.messages
    assert "ALTER ROLE nobody_here PASSWORD ***" in str(content)
    assert "hunter22" not in str(content)
    assert "p$HOME" not in str(content)


def test_an_error_of_the_server_mentions_nobody_and_contains_no_link(operator: Operator, endpoint: Endpoint) -> None:
    text = "@everyone <!channel> [help](https://example.com)"
    operator.write(A, f"DO $$ BEGIN RAISE EXCEPTION '{text}'; END $$;")
    operator.project.inv("db.migrate", env={"ALERT_URLS": endpoint.url()}, check=1)
    ((_, content),) = endpoint.messages
    for part in ("@everyone", "<!channel", "!channel", "](", "://"):
        assert part not in str(content["title"]) + str(content["message"])
    assert text in str(content["message"]).replace("\u200b", "")


@pytest.mark.parametrize("number", SIGNALS)
def test_an_interrupted_run_sends_one_message(number: signal.Signals, operator: Operator, endpoint: Endpoint) -> None:
    operator.write(A, PASS_GATE)
    with gate_closed(operator.database):
        process = operator.project.start_inv("db.migrate", env={"ALERT_URLS": endpoint.url()})
        await_waiting_at_gate(operator.database)
        process.send_signal(number)
        finish(process, 1)
    rows = endpoint.read_rows()
    assert (rows["Error"], rows["State"]) == (f"stopped by {SIGNALS[number]}", f"{A} was rolled back completely.")
    assert rows["Statement"] == f"line 1: {PASS_GATE.rstrip(';')}"


def test_a_run_that_waits_for_a_table_sends_one_message_with_its_blocker(operator: Operator, endpoint: Endpoint) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD COLUMN b int;")
    settings = {"ALERT_URLS": endpoint.url(), "ALERT_AFTER": "1s", "LOCK_TIMEOUT": "60s"}
    with operator.database.connect(autocommit=False) as reader:
        reader.execute("SELECT FROM a")
        process = operator.project.start_inv("db.migrate", env=settings)
        wait_until(lambda: endpoint.messages, what="the message")
        pid = reader.info.backend_pid
    assert finish(process, 0) == ""
    rows = endpoint.read_rows()
    assert rows["Waits"].startswith("for a lock, ")
    assert f"pid {pid} (" in rows["Waits"]
    assert f"SELECT pg_terminate_backend({pid});" in rows["Next"]
    assert (rows["Migration"], rows["Statement"]) == (B, "line 1: ALTER TABLE a ADD COLUMN b int")
    assert operator.read_states()[B] == "applied"


def test_a_run_that_waits_for_another_and_then_fails_sends_two_messages(operator: Operator, endpoint: Endpoint) -> None:
    operator.write(A, "SELECT 1/0;")
    name = "migrate-lock 00000000-0000-4000-8000-000000000000"
    with operator.database.connect(autocommit=False, application_name=name) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
        process = operator.project.start_inv("db.migrate", env={"ALERT_URLS": endpoint.url(), "ALERT_AFTER": "1s"})
        wait_until(lambda: endpoint.messages, what="the message")
        assert "inv db.history --env=local" in endpoint.read_rows()["Next"]
    finish(process, 1)
    assert [title.split(":")[1] for title in endpoint.titles] == [" migrate waits", " migrate failed"]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [(("db.migrate", "--strict"), 3), (("db.rollback", "--steps=0"), 2)],
)
def test_a_refusal_sends_no_message(arguments: tuple[str, ...], exit_code: int, operator: Operator, endpoint: Endpoint) -> None:
    operator.write_tables(B)
    operator.migrate()
    operator.write_tables(A)
    operator.project.inv(*arguments, env={"ALERT_URLS": endpoint.url()}, check=exit_code)
    assert endpoint.messages == []


def test_failed_alerts_are_reported_and_do_not_change_the_outcome(operator: Operator, endpoint: Endpoint) -> None:
    operator.write(A, "SELECT 1/0;")
    urls = ["json://127.0.0.1:1/", endpoint.url(REFUSING), endpoint.url(f"{SILENT}?rto=0.3"), "s3cret", endpoint.url()]
    result = operator.project.inv("db.migrate", env={"ALERT_URLS": ", ".join(urls)}, check=1)
    alerts = [line for line in result.stderr.splitlines() if "alert" in line]
    assert [line.partition(" (")[2].partition(" of 5): ")[::2] for line in alerts] == [
        ("1", "no connection, or no answer"),
        ("2", "HTTP 500"),
        ("3", "no connection, or no answer"),
        ("4", "apprise does not know this kind of address"),
    ]
    assert result.stderr.count("division by zero") == 1
    assert "s3cret" not in result.stderr
    assert "/" in dict(endpoint.messages)


def test_the_addresses_of_all_files_and_of_the_process_are_combined(
    tmp_path: Path, database: Database, endpoint: Endpoint
) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    checkout.write_env(ALERT_URLS=endpoint.url("/all"))
    checkout.write_env("staging", DATABASE_URL=database.url, ALERT_URLS=f"{endpoint.url('/own')},{endpoint.url('/all')}")
    checkout.write_env("dev", DATABASE_URL=database.url, ALERT_URLS=endpoint.url("/dev"))
    checkout.write_up(A, "SELECT 1/0;")
    checkout.inv("db.migrate", "--env=staging", env={"ALERT_URLS": endpoint.url("/process")}, check=1)
    assert sorted(path for path, _ in endpoint.messages) == ["/all", "/own", "/process"]


def test_a_test_message_reaches_every_address(project: Project, endpoint: Endpoint) -> None:
    result = project.inv("alerts.test", env={"ALERT_URLS": f"{endpoint.url('/a')} {endpoint.url('/b')}"}, check=0)
    assert result.stdout == "✅ Sent a test message to 2 addresses\n"
    assert sorted(path for path, _ in endpoint.messages) == ["/a", "/b"]
    assert endpoint.titles == ["🔔 local: a test message"] * 2


def test_a_test_message_that_fails_exits_with_1(project: Project, endpoint: Endpoint) -> None:
    result = project.inv("alerts.test", env={"ALERT_URLS": endpoint.url(REFUSING)}, check=1)
    assert result.stdout == ""
    assert result.stderr == "⚠️  The alert could not be sent to json://…: HTTP 500\n"


def test_a_test_message_without_addresses_explains_where_to_set_them(project: Project) -> None:
    result = project.inv("alerts.test", "--env=staging", check=1)
    assert "❌ ALERT_URLS is not set for staging" in result.stderr
    assert ".env.staging: ALERT_URLS=" in result.stderr


def run(environment: Environment, error: BaseException | None, *events: Event) -> None:
    """Watch a run that emits these events and then raises the error."""

    def emit() -> Iterator[Event]:
        yield from events
        if error is not None:
            raise error

    for _ in watch(emit(), environment, "migrate"):
        pass


def test_an_error_on_a_machine_is_sent_with_its_own_text(environment: Environment, endpoint: Endpoint) -> None:
    error = ErrorRaised("no such table", "Fix it.", "Nothing was applied.", "a.sql", 3, 5, "SELECT", "42P01", 1)
    with pytest.raises(ReportedError):
        run(environment, ReportedError("no such table", exit_code=1), STARTED, error)
    rows = endpoint.read_rows()
    assert (rows["Error"], rows["Where"], rows["Run"]) == ("no such table (42P01)", "a.sql:3:5", "r-1")
    assert (rows["State"], rows["Next"]) == ("Nothing was applied.", "Fix it.")


def test_secrets_in_the_events_of_a_machine_are_redacted_locally(environment: Environment, endpoint: Endpoint) -> None:
    statement = StatementStarted(A, 1, "ALTER ROLE me PASSWORD 'hunter22'", 1, 1)
    error = ErrorRaised("no 'hunter22'", "", "", "", 0, 0, "", "", 1)
    with pytest.raises(ReportedError):
        run(environment, ReportedError("", exit_code=1), STARTED, statement, error)
    rows = endpoint.read_rows()
    assert (rows["Statement"], rows["Error"]) == ("line 1: ALTER ROLE me PASSWORD ***", "no ***")


@pytest.mark.parametrize("error", [ReportedError("", exit_code=3), RefusedError("no")])
def test_a_remote_or_local_refusal_sends_nothing(environment: Environment, endpoint: Endpoint, error: RunnerError) -> None:
    with pytest.raises(type(error)):
        run(environment, error, STARTED)
    assert endpoint.messages == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ReportedError("", exit_code=1), "the run ended with exit code 1"),
        (KeyboardInterrupt(), "stopped by Ctrl-C"),
        (LookupError("a mistake of ours"), "LookupError: a mistake of ours"),
    ],
)
def test_an_unexplained_end_hints_at_the_status(
    environment: Environment, endpoint: Endpoint, error: BaseException, expected: str
) -> None:
    with pytest.raises(type(error)):
        run(environment, error, STARTED)
    rows = endpoint.read_rows()
    assert rows["Error"] == expected
    assert "inv db.status --env=staging" in rows["Next"]


def test_an_aborted_run_rolls_back_before_the_message_is_sent(environment: Environment, endpoint: Endpoint) -> None:
    happened: list[str] = []
    endpoint.on_message = lambda: happened.append("message sent")

    def emit() -> Iterator[Event]:
        try:
            yield STARTED
        finally:
            happened.append("rolled back")

    watched = watch(emit(), environment, "migrate")
    next(watched)
    watched.close()  # type: ignore[attr-defined]
    assert happened == ["rolled back", "message sent"]


def test_a_run_that_keeps_waiting_sends_one_message(environment: Environment, endpoint: Endpoint) -> None:
    run(environment, None, STARTED, *(LockAwaited(None, seconds_s) for seconds_s in (59.0, 61.0, 63.0, 65.0)))
    assert endpoint.read_rows()["Waits"] == "for another run, 1 min 1 s so far"


def test_a_successful_run_sends_nothing(environment: Environment, endpoint: Endpoint) -> None:
    run(environment, None, STARTED, LockAwaited(None, 59.0))
    assert endpoint.messages == []


def test_without_addresses_the_events_are_passed_through(tmp_path: Path) -> None:
    events = iter([STARTED])
    assert watch(events, load_environment("staging", project=tmp_path, environ={}), "migrate") is events


def test_the_delay_of_an_alert_about_waiting_is_a_minute_or_as_configured(tmp_path: Path) -> None:
    assert load_environment("dev", project=tmp_path, environ={}).alert_after_s == 60
    assert load_environment("dev", project=tmp_path, environ={"ALERT_AFTER": "5min"}).alert_after_s == 300
    with pytest.raises(RunnerError, match=r"ALERT_AFTER=soon: write a number with ms, s or min.*ALERT_AFTER=60s"):
        load_environment("dev", project=tmp_path, environ={"ALERT_AFTER": "soon"})


def test_a_comma_within_an_address_does_not_separate(tmp_path: Path) -> None:
    urls = "mailto://me@example.com?to=a@example.com,b@example.com, json://one,json://two\tjson://three,"
    assert load_environment("dev", project=tmp_path, environ={"ALERT_URLS": urls}).alert_urls == (
        "mailto://me@example.com?to=a@example.com,b@example.com",
        "json://one",
        "json://two",
        "json://three",
    )
