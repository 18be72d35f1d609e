"""db.schema, and what notices that migrations/schema.sql is out of date."""

import re
from pathlib import Path

import pytest

from tasks.commands.schema_file import TIMEOUT_S, write_from_files, write_schema_file
from tasks.runner.errors import RunnerError
from tasks.runner.events import NoticeRaised, SchemaChecked, SchemaWritten
from tasks.runner.files.schema_file import NAME
from tasks.runner.settings import RawSettings, Settings, validate
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with two migrations."""
    operator = Operator(project, database)
    operator.write_tables(A, B)
    return operator


def read_settings(operator: Operator) -> Settings:
    """Return settings without a database."""
    project = operator.project
    return validate(RawSettings({"SCRATCH_DATABASE_URL": project.scratch_url, "MIGRATIONS_DIR": str(project.migrations)}))


def write(operator: Operator, *, as_superuser: bool = False) -> SchemaWritten:
    settings = read_settings(operator)
    (event,) = write_from_files(settings, check=False, as_superuser=as_superuser, timeout_s=TIMEOUT_S)
    assert isinstance(event, SchemaWritten)
    return event


def check(operator: Operator) -> tuple[str, ...]:
    (event,) = write_from_files(read_settings(operator), check=True, as_superuser=False, timeout_s=TIMEOUT_S)
    assert isinstance(event, SchemaChecked)
    return event.differences


def test_the_file_is_written_from_the_files_alone_whatever_it_contained(operator: Operator) -> None:
    path = operator.project.migrations / NAME
    assert not write(operator).unchanged
    text = path.read_text()
    assert write(operator).unchanged
    assert check(operator) == ()
    conflict = text.replace("CREATE TABLE public.b (", "<<<<<<< HEAD\n=======\n>>>>>>> other\nCREATE TABLE public.b (")
    for content in (conflict, "", text.replace("public.b", "public.z")):
        path.write_text(content)
        assert check(operator)
        assert path.read_text() == content
        write(operator)
        assert path.read_text() == text
    operator.migrate()
    assert list(write_schema_file(operator.make_runner(), read_settings(operator))) == []


@pytest.mark.parametrize(
    ("arguments", "content", "code"),
    [((), "", 0), (("--check",), "mine", 4), (("--check", "--json"), "mine", 4), (("--timeout=x",), "mine", 2)],
)
def test_the_exit_code_is_that_of_every_command(operator: Operator, arguments: tuple[str, ...], content: str, code: int) -> None:
    (operator.project.migrations / NAME).write_text(content)
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    result = operator.project.inv("db.schema", *arguments, env=nowhere, check=code)
    assert ("inv db.schema" in result.stdout) == (arguments == ("--check",))


def test_files_that_fail_leave_the_file_as_it_was(operator: Operator) -> None:
    path = operator.project.migrations / NAME
    path.write_text("mine")
    operator.write(B, "CREATE TABLE a ();")
    with pytest.raises(RunnerError) as failed:
        write(operator)
    assert failed.value.exit_code == 1
    assert str(failed.value.place).endswith(f"{B}.sql:1")
    assert path.read_text() == "mine"


def test_what_needs_more_rights_is_refused_unless_they_are_granted(operator: Operator) -> None:
    operator.write(B, "CREATE FOREIGN DATA WRAPPER w;")
    with pytest.raises(RunnerError) as refused:
        write(operator)
    assert refused.value.exit_code == 3
    assert f"{B}.sql:1" in refused.value.message
    assert "inv db.schema --as-superuser" in refused.value.hint
    assert not (operator.project.migrations / NAME).exists()
    write(operator, as_superuser=True)
    assert "CREATE FOREIGN DATA WRAPPER w;" in (operator.project.migrations / NAME).read_text()


def test_a_flat_folder_is_refused(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / f"{A}.sql").write_text("CREATE TABLE a ();")
    settings = validate(RawSettings({"MIGRATIONS_DIR": str(tmp_path)}))
    with pytest.raises(RunnerError) as refused:
        list(write_from_files(settings, check=False, as_superuser=False, timeout_s=TIMEOUT_S))
    assert refused.value.exit_code == 3
    assert "inv db.cleanup-legacy" in refused.value.hint


def notice(operator: Operator) -> tuple[list[str], list[str]]:
    """Return what a run with nothing to do, and the status, report about the file."""
    events = list(write_schema_file(operator.make_runner(), read_settings(operator), changed=False))
    findings = operator.read_status().findings
    noticed = [event.message for event in events if isinstance(event, NoticeRaised)]
    return noticed, [each.message for each in findings if each.kind == "schema_file"]


def test_a_file_that_is_out_of_date_is_noticed_by_a_run_and_by_the_status(operator: Operator) -> None:
    path = operator.project.migrations / NAME
    operator.migrate()
    assert write(operator).problem == ""
    text = path.read_text()
    assert notice(operator) == ([], [])
    cases = {
        "".join(line for line in text.splitlines(keepends=True) if B not in line): f"does not contain {B}",
        re.sub(
            "sha256:.{16}", "sha256:0123456789abcdef", text, count=1
        ): f"was made from other migrations than those of up/: {A}",
        "mine": "is not as `inv db.migrate` writes it",
        text.replace("CREATE TABLE public.b", "<<<<<<< HEAD\n>>>>>>> other\nCREATE TABLE public.b"): "a conflict of a merge",
    }
    for content, reason in cases.items():
        path.write_text(content)
        ((noticed,), (found,)) = notice(operator)
        assert reason in noticed
        assert reason in found
        assert "inv db.schema" in noticed
    assert operator.read_status(environment="staging").findings == ()
    path.unlink()
    assert operator.read_status().findings == ()


def test_versions_that_are_not_applied_yet_do_not_make_it_out_of_date(operator: Operator) -> None:
    operator.migrate(to=A)
    write(operator)
    assert notice(operator) == ([], [])


def test_what_the_scratch_server_does_not_have_is_refused_with_the_ways_to_an_answer(operator: Operator) -> None:
    operator.write(B, "CREATE EXTENSION nobody_knows_it;")
    with pytest.raises(RunnerError) as refused:
        write(operator)
    assert refused.value.exit_code == 3
    assert "does not have the extension nobody_knows_it" in refused.value.message
    assert "SCRATCH_DATABASE_URL=" in refused.value.hint
    assert "--without-extension" not in refused.value.hint
