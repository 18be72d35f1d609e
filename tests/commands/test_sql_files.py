"""--sql of both programs: where the script goes, and what is refused."""

import json
import stat
import subprocess

import pytest

from tests.kit.databases import Database
from tests.kit.projects import Project

A, B = "20250101000000_create_a", "20250102000000_create_b"
PROGRAMS = ("migrate", "inv")


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    project.write_up(A, "CREATE TABLE a AS SELECT 'ä' AS x;")
    project.write_up(B, "CREATE TABLE b ();\nVACUUM;")


def run(
    project: Project, program: str, *arguments: str, check: int, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    if program == "migrate":
        return project.migrate(*arguments, check=check, env=env)
    return project.inv("db.migrate", *arguments, check=check, env=env)


def apply(database: Database, script: str) -> None:
    psql = database.server.cluster.programs / "psql"
    subprocess.run([psql, "--no-psqlrc", database.url], input=script, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_file_has_the_script_and_only_its_owner_may_read_it(project: Project, database: Database, program: str) -> None:
    file = project.root / "plan ä.sql"
    file.write_text("older")
    file.chmod(0o644)
    printed = run(project, program, f"--sql={file}", check=0).stdout
    assert f"Wrote {file}: 2 migrations" in printed
    assert f"psql '--file={file}' URL" in printed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert database.query("SELECT count(*) FROM pg_class WHERE relname ~ 'schema_migrations'") == [(0,)]
    apply(database, file.read_text(encoding="utf-8"))
    project.inv("db.status", "--check", check=0)
    assert project.migrate("status", "--check", check=0).returncode == 0
    assert [path.name for path in project.root.iterdir() if path.name.startswith(".sql")] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_dash_prints_the_script_and_nothing_else_on_stdout(project: Project, database: Database, program: str) -> None:
    printed = run(project, program, "--sql=-", check=0)
    assert "Found 2 migration files" in printed.stderr
    apply(database, printed.stdout)
    assert database.query("TABLE a") == [("ä",)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_json_lines_have_the_script_for_a_dash_and_the_file_otherwise(project: Project, program: str) -> None:
    for file in ("-", str(project.root / "x.sql")):
        events = [json.loads(line) for line in run(project, program, "--json", f"--sql={file}", check=0).stdout.splitlines()]
        (written,) = (event for event in events if event["kind"] == "sql_written")
        assert (written["file"], bool(written["sql"]), written["steps"]) == (("", True, 2) if file == "-" else (file, False, 2))
        assert (events[0]["kind"], events[-1]["kind"], events[-1]["dry_run"]) == ("run_started", "run_finished", True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_empty_name_is_wrong_usage_and_runs_nothing(project: Project, database: Database, program: str) -> None:
    assert "--sql needs the name of a file" in run(project, program, "--sql=", check=2).stderr
    assert database.query("SELECT to_regclass('a')::text") == [(None,)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_cannot_be_written_is_an_error_that_names_the_file(project: Project, program: str) -> None:
    link, kept = project.root / "link.sql", project.root / "kept.sql"
    kept.write_text("kept")
    link.symlink_to(kept)
    for file, reason in ((project.root, "Is a directory"), (project.root / "no" / "x.sql", "No such file"), (link, "is a link")):
        error = run(project, program, f"--sql={file}", check=1).stderr
        assert str(file) in error
        assert reason in error
        assert "--sql" in error
    assert kept.read_text() == "kept"
    run(project, program, "--sql=/dev/null", check=0)


def test_a_plan_that_a_run_would_refuse_leaves_the_file_as_it_was(project: Project) -> None:
    file = project.root / "x.sql"
    file.write_text("older")
    project.migrate("--to", A, check=0)
    project.write_up(A, "SELECT 2;")
    for program in PROGRAMS:
        assert "differs from the text" in run(project, program, f"--sql={file}", check=3).stdout
    assert file.read_text() == "older"


def test_a_script_is_for_one_environment_and_has_one_plan(project: Project) -> None:
    assert "of one environment" in project.inv("db.migrate", "--env=local,dev", "--sql=x.sql", check=2).stderr
    plan = json.loads(project.migrate("--dry-run", "--json", check=0).stdout.splitlines()[-2])["plan_id"]
    project.migrate(f"--plan={plan}", f"--sql={project.root / 'x.sql'}", check=0)
    assert "the plan is no longer" in project.migrate("--plan=0123456789ab", "--sql=-", check=3).stderr


def test_a_guarded_environment_is_not_asked_about(project: Project) -> None:
    assert "CREATE TABLE a" in project.inv("db.migrate", "--sql=-", env={"GUARDED": "local"}, check=0).stdout


def test_the_script_of_a_database_that_is_up_to_date_does_nothing(project: Project, database: Database) -> None:
    project.migrate(check=0)
    before = database.query("SELECT count(*) FROM schema_migrations_log")
    apply(database, project.migrate("--sql=-", check=0).stdout)
    assert database.query("SELECT count(*) FROM schema_migrations_log") == before


def test_verbose_shows_the_plan_beside_the_script(project: Project) -> None:
    assert "The plan: 2 migrations would be applied" in project.migrate("--verbose", "--sql=-", check=0).stderr


def test_a_script_after_a_run_leaves_a_schema_file_that_is_shown_as_behind_and_passes_the_check(
    project: Project, database: Database
) -> None:
    project.inv("db.migrate", f"--to={A}", check=0)
    apply(database, project.inv("db.migrate", "--sql=-", check=0).stdout)
    status = project.inv("db.status", "--check", check=0)
    assert f"is out of date: it does not contain {B}" in status.stdout
    database.execute("UPDATE schema_migrations SET applied_by = 'me'")
    project.inv("db.status", "--check", check=4)
