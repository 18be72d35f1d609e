"""Building a database from migrations/schema.sql."""

from collections.abc import Iterator

import pytest

from tasks.catalog import compare, read_catalog
from tasks.commands.schema_file import write_schema_file
from tasks.runner.events import NoticeRaised, SchemaWritten
from tasks.runner.files.schema_file import NAME, SchemaFile
from tasks.runner.operations.load import load_schema
from tasks.runner.settings import RawSettings, validate
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C, Operator, collect_failure, pick


@pytest.fixture
def operator(project: Project, database: Database, embedded: Server) -> Operator:
    """Return an operator whose first two migrations are applied, and are in the schema file."""
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int PRIMARY KEY, how text CHECK (how IN ('x', 'y')));", "DROP TABLE a;")
    operator.write(B, "CREATE TABLE b (a_id int REFERENCES a);", "DROP TABLE b;")
    operator.migrate()
    write_file(operator, embedded)
    return operator


def write_file(operator: Operator, scratch: Server) -> None:
    """Write the schema file as a run on the local database does."""
    settings = validate(RawSettings({"SCRATCH_DATABASE_URL": scratch.url()}))
    (event,) = write_schema_file(operator.make_runner(), settings)
    assert isinstance(event, SchemaWritten)
    assert (event.problem, event.differences) == ("", ())


@pytest.fixture
def newcomer(operator: Operator, embedded: Server) -> Iterator[Operator]:
    """Yield an operator with the same files and an empty database."""
    with fresh_database(embedded) as empty:
        yield Operator(operator.project.at(empty.url), empty)


def test_the_schema_and_the_ledger_are_those_of_the_migrations(operator: Operator, newcomer: Operator) -> None:
    list(load_schema(newcomer.make_runner()))
    with operator.database.connect() as one, newcomer.database.connect() as other:
        assert compare(read_catalog(one), read_catalog(other)).changes == ()
    question = "SELECT version, checksum FROM schema_migrations ORDER BY 1"
    assert newcomer.database.query(question) == operator.database.query(question)
    assert newcomer.read_states() == {A: "applied", B: "applied"}
    newcomer.roll_back(steps=2)
    assert newcomer.read_tables() == []


def test_what_came_after_the_file_is_pending_and_named(newcomer: Operator) -> None:
    newcomer.write_tables(C)
    (notice,) = pick(load_schema(newcomer.make_runner()), NoticeRaised)
    assert f"does not contain {C}: after the load, run inv db.migrate" in notice.message
    assert newcomer.read_states() == {A: "applied", B: "applied", C: "pending"}


def test_a_file_without_migrations_is_refused_where_there_are_some(newcomer: Operator) -> None:
    (newcomer.project.migrations / NAME).write_text(SchemaFile("").write())
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.exit_code == 3
    assert "contains none of the 2 migrations" in error.message
    assert "inv db.schema" in error.hint


def test_a_missing_file_is_refused_with_the_command_that_writes_it(newcomer: Operator) -> None:
    (newcomer.project.migrations / NAME).unlink()
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.exit_code == 3
    assert "inv db.schema" in error.hint


def test_a_database_with_something_in_it_is_refused(newcomer: Operator) -> None:
    newcomer.database.execute("CREATE VIEW mine AS SELECT 1")
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.exit_code == 3
    assert "not empty" in error.message
    assert newcomer.read_tables() == []


def test_a_ledger_with_versions_is_refused_even_if_the_database_is_empty(operator: Operator) -> None:
    operator.database.execute("DROP TABLE a, b")
    _, error = collect_failure(load_schema(operator.make_runner()))
    assert (error.exit_code, "applied migrations" in error.message) == (3, True)


@pytest.mark.parametrize("act", ["edit", "remove"])
def test_a_file_that_does_not_fit_its_migrations_is_refused(newcomer: Operator, act: str) -> None:
    if act == "edit":
        newcomer.write(B, "CREATE TABLE b ();")
    else:
        newcomer.remove(B)
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.exit_code == 3
    assert B in error.message
    assert "inv db.schema" in error.hint
    assert newcomer.read_tables() == []


def test_a_statement_that_fails_names_its_line_and_leaves_nothing(newcomer: Operator) -> None:
    path = newcomer.project.migrations / NAME
    text = path.read_text() + "CREATE TABLE public.z (\n    id nowhere\n);\n"
    path.write_text(text)
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.place is not None
    assert (error.place.line, error.place.source.strip()) == (text.count("\n") - 1, "id nowhere")
    assert error.state == "Everything was rolled back."
    assert newcomer.read_tables() == []
    assert newcomer.read_applied() == []


def test_a_role_that_the_server_does_not_have_is_explained(newcomer: Operator) -> None:
    path = newcomer.project.migrations / NAME
    path.write_text(path.read_text() + "ALTER DEFAULT PRIVILEGES FOR ROLE nobody_here GRANT SELECT ON TABLES TO PUBLIC;\n")
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert 'role "nobody_here" does not exist' in error.message
    assert "role" in error.hint.lower()


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("GRANT SELECT ON public.a TO load_reader;", "CREATE ROLE load_reader;"),
        ("CREATE EXTENSION nothing_like_it;", "Install the files of the extension nothing_like_it on the server"),
        ("CREATE TABLE public.a ();", ""),
    ],
)
def test_what_the_server_lacks_for_the_file_comes_with_the_next_step(newcomer: Operator, statement: str, hint: str) -> None:
    path = newcomer.project.migrations / NAME
    path.write_text(f"{path.read_text()}{statement}\n")
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert hint in error.hint
    assert ("extension" in error.hint) is ("extension" in hint)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("-- The schema", "<<<<<<< HEAD\n-- The schema", 1),
        (f"-- {B}", f"=======\n-- {B}", 3),
        ("CREATE TABLE public.b (", "<<<<<<< HEAD\nCREATE TABLE public.b (\n=======\nCREATE TABLE public.c (\n>>>>>>> C", 14),
    ],
    ids=["first line", "a version's line", "a statement"],
)
def test_a_merge_conflict_in_the_file_is_named(newcomer: Operator, old: str, new: str, line: int) -> None:
    path = newcomer.project.migrations / NAME
    path.write_text(path.read_text().replace(old, new, 1))
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.place is not None
    assert error.place.line == line
    assert "conflict" in error.hint


def test_a_migration_that_writes_rows_is_named(operator: Operator, newcomer: Operator, embedded: Server) -> None:
    operator.write(C, "INSERT INTO a VALUES (1);")
    operator.migrate()
    write_file(operator, embedded)
    (notice,) = pick(load_schema(newcomer.make_runner()), NoticeRaised)
    assert C in notice.message
