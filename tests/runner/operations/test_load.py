"""Building a database from migrations/schema.sql."""

from collections.abc import Iterator

import pytest

from tasks.catalog import compare, read_catalog
from tasks.commands.schema_file import write_schema_file
from tasks.runner.events import NoticeRaised
from tasks.runner.files.schema_file import NAME
from tasks.runner.operations.load import load_schema
from tests.kit.databases import Database, fresh_database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, C, Operator, collect_failure, pick


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose first two migrations are applied, and are in the schema file."""
    operator = Operator(project, database)
    operator.write(A, "CREATE TABLE a (id int PRIMARY KEY, how text CHECK (how IN ('x', 'y')));", "DROP TABLE a;")
    operator.write(B, "CREATE TABLE b (a_id int REFERENCES a);", "DROP TABLE b;")
    operator.migrate()
    for event in write_schema_file(operator.make_runner()):
        assert event.problem == ""
    return operator


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


def test_what_came_after_the_file_is_pending(newcomer: Operator) -> None:
    newcomer.write_tables(C)
    list(load_schema(newcomer.make_runner()))
    assert newcomer.read_states() == {A: "applied", B: "applied", C: "pending"}


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
    assert "inv db.migrate" in error.hint
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
    [("-- The schema", "<<<<<<< HEAD\n-- The schema", 1), (f"-- {B}", f"=======\n-- {B}", 3)],
    ids=["first line", "a version's line"],
)
def test_a_merge_conflict_in_the_file_is_named(newcomer: Operator, old: str, new: str, line: int) -> None:
    path = newcomer.project.migrations / NAME
    path.write_text(path.read_text().replace(old, new, 1))
    _, error = collect_failure(load_schema(newcomer.make_runner()))
    assert error.place is not None
    assert error.place.line == line
    assert "conflict" in error.hint


def test_a_migration_that_writes_rows_is_named(operator: Operator, newcomer: Operator) -> None:
    operator.write(C, "INSERT INTO a VALUES (1);")
    operator.migrate()
    list(write_schema_file(operator.make_runner()))
    (notice,) = pick(load_schema(newcomer.make_runner()), NoticeRaised)
    assert C in notice.message
