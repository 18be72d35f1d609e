"""db.verify and db.test-crash: `inv` as a process, with the shared server as the scratch server."""

import json
import subprocess
from typing import Any

import pytest

from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C, Operator

BAD_DOWN = ("CREATE TABLE c (id int);\nCREATE VIEW v AS SELECT 1 AS one;", "DROP TABLE c;")


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)


def run(operator: Operator, *arguments: str, check: int, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run `inv` with a scratch server."""
    settings = {"SCRATCH_DATABASE_URL": operator.database.server.url(), **env}
    return operator.project.inv(*arguments, env=settings, check=check)


def read_answers(result: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    """Return the JSON lines of a result."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_the_pending_migrations_of_the_environment_are_verified(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B)
    result = run(operator, "db.verify", check=0)
    first, verified, last = result.stdout.splitlines()
    assert first.startswith("Verifying 1 of 2 migrations (pending in local) on a scratch PostgreSQL ")
    assert verified.startswith(f"✅ {B}: up, down, up (")
    assert last.startswith("✅ Verified 1 migration (")
    assert operator.read_tables() == ["a"]


def test_findings_are_shown_and_the_exit_code_is_4(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(C, *BAD_DOWN)
    operator.write(B, "SELECT 1 / 0;", "SELECT 1;")
    result = run(operator, "db.verify", "--all", check=4)
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert f"❌ {C}: down does not restore the schema" in lines
    assert any(line.startswith("+ view public.v") for line in lines)
    assert f"❌ {B}: up fails" in lines
    assert any("division by zero" in line for line in lines)
    assert any(line.startswith("1 | SELECT 1 / 0") for line in lines)
    assert lines[-1].startswith("❌ Problems in 2 of 3 migrations")
    assert result.stderr == ""


def test_with_json_each_event_is_a_line(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(C, *BAD_DOWN)
    answers = read_answers(run(operator, "db.verify", "--all", "--with-data", "--json", check=4))
    assert [answer["kind"] for answer in answers] == ["verify_started", *["migration_verified"] * 2, "verify_finished"]
    assert answers[1]["findings"] == []
    assert [found["what"] for found in answers[2]["findings"]] == ["not_restored", "up_again_fails"]
    assert answers[-1]["found"] == 1


def without_times(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events without durations, and without whether a result was used again."""
    return [{name: value for name, value in answer.items() if name not in {"duration_ms", "reused"}} for answer in answers]


def test_a_second_run_shows_the_same_results_without_running_anything(operator: Operator, own_server: OwnServer) -> None:
    operator.write_tables(A)
    operator.write(C, *BAD_DOWN)
    # On the server that all tests share, a role of another test between two runs would make another verification of the second.
    alone = {"SCRATCH_DATABASE_URL": own_server.url()}
    github = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(operator.project.root)}
    first, again = (run(operator, "db.verify", "--all", check=4, **github, **alone) for _ in range(2))
    assert f"✅ {A}: up, down, up (verified before, unchanged)" in again.stdout
    assert "Problems in 1 of 2 migrations (2 of them before, unchanged; " in again.stdout
    assert first.stdout.splitlines()[2:-1] == again.stdout.splitlines()[2:-1]
    annotations = [line for line in again.stderr.splitlines() if line.startswith("::error")]
    assert annotations == [line for line in first.stderr.splitlines() if line.startswith("::error")]
    one, other = (
        read_answers(run(operator, "db.verify", "--all", *flags, "--json", check=4, **alone)) for flags in ([], ["--no-cache"])
    )
    assert without_times(one) == without_times(other)
    assert [answers[-1]["reused"] for answers in (one, other)] == [2, 0]


def test_neither_all_nor_only_needs_a_connection_to_an_environment(operator: Operator) -> None:
    operator.write_tables(A, B)
    closed = "postgresql://me:s3cret@127.0.0.1:1/db"
    assert len(read_answers(run(operator, "db.verify", "--all", "--json", check=0, DATABASE_URL=closed))) == 4
    (_, verified, _) = read_answers(run(operator, "db.verify", f"--only={B[:14]}", "--json", check=0, DATABASE_URL=closed))
    assert verified["version"] == B
    started, *_ = read_answers(run(operator, "db.verify", "--json", check=0, DATABASE_URL=closed))
    assert "cannot be read" in started["reason"]


@pytest.mark.parametrize(
    ("arguments", "env", "exit_code", "message"),
    [
        (("db.verify", "--only=2024"), {}, 2, "there is no version 2024"),
        (("db.verify", "--only=2025", "--all"), {}, 2, "--only and --all contradict each other"),
        (("db.verify", "--timeout=soon"), {}, 2, "--timeout=soon is not a valid duration"),
        (("db.verify", "--env=moon"), {}, 2, "there is no environment moon"),
        (("db.verify",), {"SCRATCH_DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:1/db"}, 1, "cannot use the scratch server"),
        (("db.test-crash", "--only=2024"), {}, 2, "there is no version 2024"),
        (("db.test-crash",), {"SCRATCH_DATABASE_URL": "nothing"}, 2, "SCRATCH_DATABASE_URL: "),
    ],
)
def test_wrong_usage_and_missing_servers_are_errors(
    operator: Operator, arguments: tuple[str, ...], env: dict[str, str], exit_code: int, message: str
) -> None:
    operator.write_tables(A)
    result = run(operator, *arguments, check=exit_code, **env)
    assert message in result.stderr
    assert "s3cret" not in result.stderr
    assert result.stdout == ""


def test_the_target_is_refused_as_the_scratch_server(operator: Operator) -> None:
    operator.write_tables(A)
    result = run(operator, "db.verify", "--all", check=3, SCRATCH_DATABASE_URL=operator.database.url)
    assert "is the target database itself" in result.stderr


def test_an_older_scratch_server_than_the_target_is_refused(operator: Operator, older_server: Server) -> None:
    operator.write_tables(A)
    result = run(operator, "db.verify", check=3, SCRATCH_DATABASE_URL=older_server.url())
    assert "is older than the target" in result.stderr


@pytest.mark.parametrize(
    ("command", "choice"), [("db.verify", ""), ("db.verify", "--all"), ("db.verify", f"--only={A}"), ("db.test-crash", "")]
)
def test_another_major_version_of_the_environment_is_a_warning(
    operator: Operator, older_server: Server, command: str, choice: str
) -> None:
    operator.write(A, "CREATE TABLE a (id int, b int GENERATED ALWAYS AS (id * 2) VIRTUAL);", "DROP TABLE a;")
    options = ["--env=dev", *filter(None, [choice])]
    shown = run(operator, command, *options, check=0, DATABASE_URL=older_server.url()).stdout
    assert "⚠️  dev runs PostgreSQL " in shown
    assert "set SCRATCH_DATABASE_URL to a server of version " in shown


def test_the_same_major_version_is_no_warning(operator: Operator) -> None:
    operator.write_tables(A)
    assert "runs PostgreSQL" not in run(operator, "db.verify", "--env=dev", check=0).stdout


def test_an_extension_can_be_excluded(operator: Operator) -> None:
    operator.write(A, "CREATE EXTENSION nothing_such;\nCREATE TABLE a (id int);", "DROP TABLE a;")
    assert "the scratch server does not have the extension nothing_such" in run(operator, "db.verify", check=4).stdout
    lines = run(operator, "db.verify", "--without-extension=other,nothing_such", check=0).stdout.splitlines()
    assert lines[1] == "Without other, nothing_such: statements that need it are not checked"
    assert any("not checked:" in line and "CREATE EXTENSION nothing_such" in line for line in lines)


def test_runs_are_killed_and_resumed(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "CREATE TABLE b (id int);\nCREATE INDEX CONCURRENTLY i ON b (id);")
    lines = run(operator, "db.test-crash", check=0).stdout.splitlines()
    assert lines[0].startswith("Killing runs of 1 of 2 migrations (pending in local) after each statement")
    assert lines[1] == f"✅ {B}: killed after statement 1 of 2 (line 1), resumed: same result"
    assert "2 killed runs of 1 migration" in lines[-1]
    operator.write(C, "-- migrate: no-transaction\nDO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;")
    answers = read_answers(run(operator, "db.test-crash", f"--only={C[:14]}", "--json", check=4))
    assert [answer["kind"] for answer in answers] == ["crash_test_started", "crash_resumed", "crash_test_finished"]
    assert answers[1]["findings"][0]["diff"] == ["~ public.a: 2 instead of 1"]


EVENT_TRIGGER = (
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n"
    "CREATE EVENT TRIGGER watch ON ddl_command_start WHEN TAG IN ('CREATE SEQUENCE') EXECUTE FUNCTION f();",
    "DROP EVENT TRIGGER watch;\nDROP FUNCTION f();",
)


def test_a_statement_that_needs_more_rights_is_not_checked_unless_rehearsed_as_superuser(operator: Operator) -> None:
    operator.write(A, *EVENT_TRIGGER)
    result = run(operator, "db.verify", "--with-data", check=0)
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[1].startswith(f"✅ {A}: up, down, up, with rows")
    assert any(line.startswith("not checked: ") and "permission denied to create event trigger" in line for line in lines)
    assert any(line.startswith("not checked: ") and "DROP EVENT TRIGGER watch: needs watch" in line for line in lines)
    result = run(operator, "db.verify", "--as-superuser", check=0)
    assert "not checked" not in result.stdout
    assert "it can run\n   programs as the account of the server" in result.stderr
    (_, skipped, _) = read_answers(run(operator, "db.test-crash", "--json", check=0))
    assert "permission denied to create event trigger" in skipped["reason"]
