"""migrations/schema.sql after runs on the local database: `inv` as a process."""

import pytest

from tasks.runner.events import SchemaWritten, from_json
from tasks.runner.files.schema_file import NAME
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator with two migrations."""
    operator = Operator(project, database)
    operator.write_tables(A, B)
    return operator


def read(operator: Operator) -> str:
    path = operator.project.migrations / NAME
    return path.read_text() if path.exists() else ""


def test_runs_on_the_local_database_update_the_file(operator: Operator) -> None:
    output = operator.project.inv("db.migrate", f"--to={A}", check=0).stdout
    assert "Wrote" in output
    assert "CREATE TABLE public.a (" in read(operator)
    assert "public.b" not in read(operator)
    operator.project.inv("db.migrate", check=0)
    assert "CREATE TABLE public.b (" in read(operator)
    operator.project.inv("db.rollback", check=0)
    assert "public.b" not in read(operator)


def test_an_adoption_in_the_local_database_updates_the_file(operator: Operator, database: Database) -> None:
    operator.project.inv("db.migrate", f"--to={A}", check=0)
    database.execute("CREATE TABLE b (id int)")
    operator.project.inv("db.adopt", "--apply", "--yes", check=0)
    assert "CREATE TABLE public.b (" in read(operator)
    operator.project.inv("db.status", "--check", check=0)


def test_a_run_with_nothing_to_do_keeps_the_file_and_creates_a_missing_one(operator: Operator) -> None:
    operator.project.inv("db.migrate", check=0)
    text = read(operator)
    (operator.project.migrations / NAME).write_text("mine")
    operator.project.inv("db.migrate", check=0)
    assert read(operator) == "mine"
    (operator.project.migrations / NAME).unlink()
    operator.project.inv("db.migrate", check=0)
    assert read(operator) == text


@pytest.mark.parametrize("arguments", [("db.migrate", "--dry-run"), ("db.migrate", "--env=dev"), ("db.seed",)])
def test_other_runs_do_not_write_the_file(operator: Operator, arguments: tuple[str, ...]) -> None:
    operator.project.inv(*arguments, check=0)
    assert read(operator) == ""


def test_a_database_with_versions_unknown_to_the_checkout_is_reported_and_the_run_succeeds(operator: Operator) -> None:
    operator.migrate(to=A)
    operator.remove(A)
    lines = operator.project.inv("db.migrate", "--json", check=0).stdout.splitlines()
    (written,) = (event for event in map(from_json, lines) if isinstance(event, SchemaWritten))
    assert A in written.problem
    assert read(operator) == ""
    assert operator.read_tables() == ["a", "b"]


def test_a_link_in_its_place_is_reported_and_what_it_leads_to_stays(operator: Operator) -> None:
    outside = operator.project.root / "outside.txt"
    outside.write_text("precious")
    path = operator.project.migrations / NAME
    path.symlink_to("../outside.txt")
    output = operator.project.inv("db.migrate", check=0).stdout
    assert "is a link to ../outside.txt, and nothing is written or removed through a link" in " ".join(output.split())
    assert outside.read_text() == "precious"
    assert path.is_symlink()
    assert operator.read_tables() == ["a", "b"]


def test_a_flat_folder_gets_no_schema_file(project: Project, database: Database) -> None:
    for folder in ("up", "down"):
        (project.migrations / folder).rmdir()
    (project.migrations / f"{A}.sql").write_text("CREATE TABLE a ();")
    project.inv("db.migrate", check=0)
    assert sorted(path.name for path in project.migrations.iterdir()) == [f"{A}.sql"]


def test_the_file_contains_no_password_that_was_set_by_hand(operator: Operator) -> None:
    operator.project.write_up(
        A,
        """CREATE FOREIGN DATA WRAPPER w;
CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'seen', sslpassword 'changeme');
CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (password 'changeme');""",
    )
    operator.project.inv("db.migrate", f"--to={A}", check=0)
    operator.database.execute("ALTER USER MAPPING FOR PUBLIC SERVER s OPTIONS (SET password 'R3al-geheim')")
    operator.database.execute("ALTER SERVER s OPTIONS (SET sslpassword 'R3al-geheim', SET host 'seen-2')")
    operator.project.inv("db.migrate", check=0)
    text = read(operator)
    assert "CREATE TABLE public.b (" in text
    assert "host 'seen-2'" in text
    assert "geheim" not in text
    assert "changeme" not in text
    operator.database.execute("ALTER TABLE b ADD passwd text DEFAULT 'geheim'")
    for arguments in ((), ("--json",)):
        # Only a superuser can create a foreign-data wrapper: without the flag, the server counts as left out.
        drift = operator.project.inv("db.drift", "--as-superuser", *arguments)
        assert "seen-2" in drift.stdout
        assert "passwd" in drift.stdout
        assert "geheim" not in drift.stdout + drift.stderr
    assert "geheim" not in str(operator.database.query("SELECT * FROM schema_migrations_meta"))


def test_what_was_changed_by_hand_is_named_and_not_in_the_file(operator: Operator) -> None:
    operator.project.inv("db.migrate", f"--to={A}", check=0)
    operator.database.execute("CREATE TABLE scratchpad (id int DEFAULT 12345); ALTER TABLE a ADD experiment int")
    shown = operator.project.inv("db.migrate", check=0).stdout
    assert "2 changes outside the migrations" in shown
    assert "+ table public.scratchpad" in shown
    assert "+ column experiment of public.a" in shown
    assert "Next:  inv db.drift" in shown
    assert "12345" not in shown
    text = read(operator)
    assert "CREATE TABLE public.b (" in text
    assert "scratchpad" not in text
    assert "experiment" not in text


def test_the_table_of_another_tool_is_neither_in_the_file_nor_a_change_by_hand(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE schema_migrations_old (id int)")
    shown = operator.project.inv("db.migrate", check=0).stdout
    assert "Wrote" in shown
    assert "outside the migrations" not in shown
    assert "schema_migrations_old" not in read(operator)


def test_a_problem_on_the_scratch_server_is_one_sentence_with_a_next_step(operator: Operator) -> None:
    nowhere = {"SCRATCH_DATABASE_URL": "postgresql://me:s3cret@127.0.0.1:1/nothing"}
    lines = operator.project.inv("db.migrate", "--json", env=nowhere, check=0).stdout.splitlines()
    (written,) = (event for event in map(from_json, lines) if isinstance(event, SchemaWritten))
    assert written.problem.startswith("cannot use the scratch server")
    assert written.hint
    assert "s3cret" not in written.problem + written.hint
    assert operator.read_tables() == ["a", "b"]


def test_files_that_depend_on_the_order_in_which_they_were_applied_are_reported(operator: Operator) -> None:
    operator.write(B, "CREATE TABLE b AS SELECT * FROM c;")
    operator.write_tables(C)
    operator.project.inv("db.migrate", check=1)
    operator.database.execute("CREATE TABLE c (id int)")
    lines = operator.project.inv("db.migrate", f"--to={B}", "--json", check=0).stdout.splitlines()
    (written,) = (event for event in map(from_json, lines) if isinstance(event, SchemaWritten))
    assert f"up/{B}.sql:1: " in written.problem
    assert 'relation "c" does not exist' in written.problem
    assert read(operator) == ""
