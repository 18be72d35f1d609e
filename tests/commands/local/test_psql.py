"""`inv db.psql`: the exit code and the signals are those of psql, and nothing but the environment decides where it connects."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tasks.postgres.server import embedded
from tasks.programs import finding
from tasks.programs.finding import Program, choose_pg_dump, choose_psql
from tasks.runner.errors import RunnerError
from tests.fly.terminals import open_terminal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.waiting import LIMIT_S, wait_until

ELSEWHERE = {
    "PGHOST": "elsewhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "PGPASSWORD": "geheim",
    "PGSERVICE": "mine",
    "PGOPTIONS": "-c statement_timeout=1",
}
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
EMBEDDED = Program(Path("/wheel/psql"), 18, embedded=True)
INSTALLED = Program(Path("/usr/bin/psql"), 15, embedded=False)


def test_a_command_exits_with_the_code_of_psql(project: Project) -> None:
    assert "4711" in project.inv("db.psql", "--command", "SELECT 4711", check=0).stdout
    failed = project.inv("db.psql", "--command", "SELECT 1/0", check=1)
    assert failed.stderr == "ERROR:  division by zero\n"


def test_statements_are_read_from_stdin_as_utf_8_up_to_the_first_error(project: Project, database: Database) -> None:
    script = "CREATE TABLE t AS SELECT 'ä' AS c;\nSELECT 1/0;\nDROP TABLE t;\n"
    assert "division by zero" in project.inv("db.psql", input=script, check=3).stderr
    assert database.query("TABLE t") == [("ä",)]


def test_variables_of_the_shell_do_not_lead_psql_elsewhere(project: Project, database: Database) -> None:
    result = project.inv("db.psql", "--command", "SELECT current_database(), current_user", env=ELSEWHERE, check=0)
    assert database.name in result.stdout


def test_the_psqlrc_of_the_user_is_read(project: Project) -> None:
    (project.root / ".psqlrc").write_text("\\pset format unaligned\n")
    assert "x|y" in project.inv("db.psql", "--command", "SELECT 'x', 'y'", check=0).stdout


def test_the_connection_is_in_a_private_file_that_is_removed_after_a_signal(project: Project, database: Database) -> None:
    folder = project.root / "tmp"
    folder.mkdir()
    # A word that no process of another test has.
    secret = f"geheim-{database.name}"
    url = database.url.replace("postgres@", f"postgres:{secret}@")
    process = project.at(url).start_inv("db.psql", "--command", "SELECT pg_sleep(600)", env={"TMPDIR": str(folder)})
    wait_until(lambda: database.query(BUSY) == [(1,)], what="the statement")
    assert [path.stat().st_mode & 0o777 for path in folder.rglob("service")] == [0o600]
    listed = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    assert secret not in listed
    process.send_signal(signal.SIGTERM)
    assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []


def test_in_a_terminal_ctrl_c_cancels_the_statement_and_psql_goes_on(project: Project, database: Database) -> None:
    with open_terminal(
        project, "db.psql", DATABASE_URL=database.url, PATH=os.environ["PATH"], HOME=str(project.root)
    ) as dialogue:
        dialogue.await_words("=#")
        dialogue.answer("SELECT pg_sleep(600);")
        wait_until(lambda: database.query(BUSY) == [(1,)], what="the statement")
        dialogue.interrupt()
        dialogue.await_words("canceling statement due to user request")
        dialogue.answer("SELECT 'still ' || 'there';")
        dialogue.await_words("still there")
        dialogue.answer("\\q")
        assert dialogue.finish() == 0


def test_a_guarded_environment_is_named_and_confirmed(project: Project, database: Database) -> None:
    variables = {"GUARDED": "local", "DATABASE_URL": database.url}
    refused = project.inv("db.psql", "--command", "SELECT 1", env=variables, check=3)
    assert "local is guarded" in refused.stderr
    with open_terminal(project, "db.psql", "--command", "SELECT 4711", **variables) as dialogue:
        dialogue.await_words("Type local to continue: ")
        dialogue.answer("local")
        assert dialogue.finish() == 0
        assert "4711" in dialogue.output


@pytest.mark.parametrize(
    ("programs", "parameters", "terminal", "chosen"),
    [
        ([EMBEDDED, INSTALLED], {"host": "/tmp"}, False, EMBEDDED),
        ([EMBEDDED, INSTALLED], {"host": "/tmp"}, True, INSTALLED),
        ([EMBEDDED], {"host": "/tmp"}, True, EMBEDDED),
        ([INSTALLED], {"host": "/tmp"}, False, INSTALLED),
        ([EMBEDDED, INSTALLED], {"host": "db.example.com"}, False, INSTALLED),
        ([EMBEDDED, INSTALLED], {"host": "db.example.com", "sslmode": "disable"}, False, EMBEDDED),
        ([EMBEDDED, INSTALLED], {"host": "db.example.com", "sslmode": "require"}, False, INSTALLED),
        ([EMBEDDED], {"host": "db.example.com", "sslmode": "require"}, False, None),
        ([], {"host": "/tmp"}, False, None),
    ],
)
def test_the_psql_fits_the_connection_and_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
    programs: list[Program],
    parameters: dict[str, str],
    terminal: bool,
    chosen: Program | None,
) -> None:
    monkeypatch.setattr(finding, "list_programs", lambda _name: list(programs))
    monkeypatch.setattr(finding, "_has_tls", lambda path: path == INSTALLED.path)
    if chosen is not None:
        assert choose_psql(parameters, terminal=terminal) == chosen.path
        return
    with pytest.raises(RunnerError) as raised:
        choose_psql(parameters, terminal=terminal)
    assert "postgresql-client" in raised.value.hint


def test_a_pg_dump_that_is_older_than_the_server_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "list_programs", lambda _name: [EMBEDDED, INSTALLED])
    assert choose_pg_dump({"host": "/tmp"}, 180006) == EMBEDDED.path
    with pytest.raises(RunnerError, match=r"PostgreSQL 19.*version 19 or newer; found: /wheel/psql \(18\), /usr/bin/psql \(15\)"):
        choose_pg_dump({"host": "/tmp"}, 190000)


def test_the_embedded_programs_are_known_to_lack_tls() -> None:
    # If this fails, the embedded programs have TLS, and what the documentation describes is out of date.
    assert not Program(embedded.find_programs() / "psql", 18, embedded=True).has_tls


def test_a_script_that_chooses_a_server_is_not_taken_for_psql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pg_wrapper").write_text("#!/bin/sh\necho 'psql (PostgreSQL) 99'\n")
    (tmp_path / "pg_wrapper").chmod(0o755)
    (tmp_path / "psql").symlink_to("pg_wrapper")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("psql") == str(tmp_path / "psql")
    assert all(program.major != 99 for program in finding.list_programs("psql"))
