"""`inv db.compat` as a process, and the confirmation of a guarded environment."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compat.conftest import MAJORS
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.fly.terminals import open_dialogue, open_terminal
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project, make_project
from tests.kit.servers import Server
from tests.runner.operating import A, B, Operator

QUERY = "SELECT name FROM a WHERE id = $1"
ONE_SERVER = pytest.mark.parametrize("collecting_server", MAJORS[:1], indirect=True)
DROP = "CREATE INDEX ON a (id);\nALTER TABLE a DROP COLUMN name;"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with an applied migration, a pending one, and a file of queries."""
    return prepare(Operator(project, database))


def prepare(operator: Operator) -> Operator:
    operator.write(A, "CREATE TABLE a (id int, name text);\nINSERT INTO a VALUES (1, 'x');", "DROP TABLE a;")
    operator.migrate()
    operator.write(B, DROP, "ALTER TABLE a ADD COLUMN name text;")
    (operator.project.root / "app.sql").write_text(f"-- of the app\n{QUERY};\nSELECT id\n  FROM a;\nSELEC 1;\nDROP TABLE a;\n")
    return operator


def check(operator: Operator, embedded: Server, *arguments: str, exit_code: int, **env: str) -> tuple[str, str]:
    env = {"SCRATCH_DATABASE_URL": embedded.url(), **env}
    result = operator.project.inv("db.compat", *arguments, env=env, check=exit_code)
    return result.stdout, result.stderr


def test_a_query_of_a_file_that_breaks_is_shown_with_both_places(operator: Operator, embedded: Server) -> None:
    shown, _ = check(operator, embedded, "--queries=app.sql", exit_code=4)
    assert f'❌ {B}.sql:2: column "name" does not exist (42703)' in shown
    assert f"breaks app.sql:2: {QUERY}" in shown
    assert "-- migrate: after-deploy" in shown
    assert "app.sql:5" in shown
    assert "app.sql:6" in shown
    assert "❌ 1 of 2 queries breaks" in shown


def test_the_json_lines_have_the_break_and_the_counts(operator: Operator, embedded: Server) -> None:
    lines = [json.loads(line) for line in check(operator, embedded, "--queries=app.sql", "--json", exit_code=4)[0].splitlines()]
    assert [line["kind"] for line in lines] == ["compat_started", "query_broken", "compat_checked"]
    broken = lines[1]
    assert (broken["version"], broken["line"], broken["place"], broken["sqlstate"]) == (B, 2, "app.sql:2", "42703")
    assert (lines[2]["queries"], lines[2]["broken"]) == (2, 1)


def test_a_file_that_runs_after_the_deployment_is_expected_to_break_queries(operator: Operator, embedded: Server) -> None:
    operator.write(B, f"-- migrate: after-deploy\n{DROP}", "ALTER TABLE a ADD COLUMN name text;")
    shown, _ = check(operator, embedded, "--queries=app.sql", exit_code=0)
    assert "Expected: this file runs after the deployment" in shown


def test_all_files_and_some_are_checked_against_the_state_before_each(operator: Operator, embedded: Server) -> None:
    for flag in ("--all", f"--only={B}"):
        assert f"{B}.sql:2" in check(operator, embedded, "--queries=app.sql", flag, exit_code=4)[0]
    assert "No query was checked" not in check(operator, embedded, "--queries=app.sql", f"--only={A}", exit_code=0)[0]


def test_without_a_pending_file_nothing_is_checked(operator: Operator, embedded: Server) -> None:
    operator.remove(B)
    assert "Nothing to check: no migration is pending" in check(operator, embedded, "--queries=app.sql", exit_code=0)[0]


@pytest.mark.parametrize(
    ("content", "exit_code", "words"),
    [
        (None, 2, "No such file"),
        (b"", 2, "contains no query"),
        (b"-- nothing\n;;", 2, "contains no query"),
        (b"SELECT 1;\nSELECT '\xff';", 3, "app.sql:2 is not UTF-8: byte 0xff"),
    ],
    ids=["absent", "empty", "without a statement", "not UTF-8"],
)
def test_a_file_without_queries_is_refused(
    operator: Operator, embedded: Server, content: bytes | None, exit_code: int, words: str
) -> None:
    path = operator.project.root / "app.sql"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert words in check(operator, embedded, "--queries=app.sql", exit_code=exit_code)[1]


def test_a_database_without_pg_stat_statements_is_refused(operator: Operator, embedded: Server) -> None:
    _, errors = check(operator, embedded, exit_code=3)
    assert "CREATE EXTENSION pg_stat_statements" in errors


@ONE_SERVER
def test_the_queries_of_the_environment_are_checked_and_its_confirmation_mentions_them(
    collecting: Database, embedded: Server, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "collecting", collecting.url, embedded.url())
    operator = prepare(Operator(project, collecting))
    collecting.execute("SELECT name FROM a WHERE id = 1")
    shown, _ = check(operator, embedded, exit_code=4)
    assert f"breaks {QUERY} (" in shown
    assert "of applied migrations" in shown
    env = {"GUARDED": "dev", "DATABASE_URL": collecting.url, "SCRATCH_DATABASE_URL": embedded.url()}
    with open_terminal(project, "db.migrate", "--env=dev", **env) as dialogue:
        dialogue.await_words("Type dev to continue: ")
        assert f"1 query of the running code breaks at {B}.sql:2: inv db.compat --env=dev" in " ".join(dialogue.output.split())
        dialogue.answer("no")
        assert dialogue.finish() == 3
    project.end_processes()


@pytest.fixture
def remote(fly: FlyWorld, project: Project, collecting: Database) -> Iterator[RemoteOperator]:
    """Yield an operator of a guarded database on Fly that collects its queries."""
    with operate_remotely(fly, project, collecting) as remote:
        prepare(remote.operator)
        remote.deploy("gaia-gateway-prod")
        yield remote


@ONE_SERVER
def test_the_queries_of_a_machine_on_fly_are_checked(remote: RemoteOperator, embedded: Server) -> None:
    remote.operator.database.execute("SELECT name FROM a WHERE id = 1")
    shown = remote.inv("db.compat", "--env=prod", SCRATCH_DATABASE_URL=embedded.url(), check=4).stdout
    assert f"breaks {QUERY} (" in shown
    with open_dialogue(remote, "db.migrate", "--env=prod", SCRATCH_DATABASE_URL=embedded.url()) as dialogue:
        dialogue.await_words("Type prod to continue: ")
        assert "1 query of the running code breaks" in dialogue.output
        dialogue.answer("prod")
        assert dialogue.finish() == 0
    remote.fly.machine("gaia-gateway-prod").edit("tasks/console/script.py", 'add("queries"', 'add("kueries"')
    refused = remote.inv("db.compat", "--env=prod", SCRATCH_DATABASE_URL=embedded.url(), check=1).stderr
    assert "older version of this tool" in refused
