"""db.lint in a project: exit codes, output, JSON, annotations, and what is missing."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.lint.squawk import SquawkError
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.lint.linting import lint_up

FIRST, SECOND, THIRD = "20250101000000_create", "20250102000000_index", "20250103000000_no_down"
INDEX = "require-concurrent-index-creation"


@pytest.fixture
def written(project: Project, running: OwnServer) -> Project:
    """Return a project with a table, an index on it that keeps out writers, and a file without a down file."""
    project.write_up(FIRST, "CREATE TABLE t (id bigint PRIMARY KEY, a int);")
    project.write_down(FIRST, "DROP TABLE t;")
    project.write_up(SECOND, "-- For the search.\nCREATE INDEX t_a ON t (a);")
    project.write_down(SECOND, "DROP INDEX CONCURRENTLY t_a;")
    project.write_up(THIRD, "SELECT 1;")
    return replace(project, scratch_url=running.url())


def test_findings_begin_with_file_and_line_and_exit_with_4(written: Project) -> None:
    lines = written.inv("db.lint", "--all", check=4).stdout.splitlines()
    found = [line for line in lines if line.startswith("migrations/up/")]
    assert [line.partition(": ")[0] for line in found] == [f"migrations/up/{SECOND}.sql:2", f"migrations/up/{THIRD}.sql:1"]
    assert f": {INDEX}: CREATE INDEX keeps out the writers of public.t" in found[0]
    assert ": missing-down: " in found[1]


def test_only_some_versions_are_checked_and_json_is_for_programs(written: Project) -> None:
    events = [json.loads(line) for line in written.inv("db.lint", f"--only={SECOND}", "--json", check=4).stdout.splitlines()]
    found = [event for event in events if event["kind"] == "lint_found"]
    assert [(each["version"], each["line"], each["rule"]) for each in found] == [(SECOND, 2, INDEX)]
    assert events[-1]["kind"] == "lint_finished"


def test_without_findings_the_exit_code_is_0(written: Project) -> None:
    assert "✅ No findings in 1 migration" in written.inv("db.lint", f"--only={FIRST}", check=0).stdout


def test_pending_files_are_annotated_and_a_table_that_the_environment_lacks_is_new(written: Project) -> None:
    job = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(written.root)}
    done = written.inv("db.lint", "--env=local", env=job, check=4)
    assert f"::error file=migrations/up/{THIRD}.sql,line=1,title=db.lint%3A missing-down::" in done.stderr
    assert INDEX not in done.stdout


def test_without_a_scratch_server_it_is_named_and_the_syntax_is_checked(written: Project) -> None:
    broken = replace(written, scratch_url="postgresql://nobody@127.0.0.1:1/nothing")
    done = broken.inv("db.lint", "--all", check=4)
    assert INDEX in done.stdout
    assert "not checked: rules that need the schema, because there is no scratch server" in " ".join(done.stdout.split())


def test_a_missing_squawk_is_an_error_with_the_next_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SquawkError, match="squawk is not installed") as raised:
        lint_up(None, "", "SELECT 1;")
    assert "pip install -r requirements.txt" in raised.value.hint
    assert raised.value.exit_code == 1
