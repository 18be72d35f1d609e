"""The local environment on another machine: the database is named, and asked about, before anything changes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fly.terminals import open_terminal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.tcp import find_address, forward_tcp
from tests.runner.operating import A, Operator

NAMED = "The local environment is not on this machine: DATABASE_URL is postgres@"
QUESTION = "Type yes to continue: "


@pytest.fixture
def operator(project: Project, database: Database) -> Iterator[Operator]:
    """Return an operator whose database is reached by an address that is not a loopback address."""
    address = find_address()
    with forward_tcp(address, database.server.cluster.socket) as port:
        url = f"postgresql://postgres@{address}:{port}/{database.name}"
        operator = Operator(replace(project, database_url=url), database)
        operator.write_tables(A)
        yield operator


def read_label(database: Database) -> list[tuple[str]]:
    return database.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'")


def test_it_is_asked_in_a_terminal_and_the_answer_is_remembered(operator: Operator) -> None:
    url = operator.project.database_url
    with open_terminal(operator.project, "db.migrate", DATABASE_URL=url) as dialogue:
        dialogue.await_words(QUESTION)
        assert NAMED in dialogue.output
        assert operator.read_tables() == []
        dialogue.answer("yes")
        assert dialogue.finish() == 0
    assert operator.read_tables() == ["a"]
    assert read_label(operator.database) == [("local",)]
    with open_terminal(operator.project, "db.rollback", DATABASE_URL=url) as dialogue:
        assert dialogue.finish() == 0
        assert NAMED not in dialogue.output


def test_another_answer_changes_nothing(operator: Operator) -> None:
    operator.migrate()
    with open_terminal(operator.project, "db.rollback", DATABASE_URL=operator.project.database_url) as dialogue:
        dialogue.await_words(QUESTION)
        dialogue.answer("no")
        assert dialogue.finish() == 3
    assert operator.read_tables() == ["a"]


@pytest.mark.parametrize("arguments", [("db.migrate",), ("db.migrate", "--yes"), ("db.migrate", "--json")], ids=" ".join)
def test_without_a_question_it_is_named_and_gets_no_label(operator: Operator, arguments: tuple[str, ...]) -> None:
    migrated = operator.project.inv(*arguments, check=0)
    assert NAMED in migrated.stderr
    assert operator.read_tables() == ["a"]
    assert read_label(operator.database) == []


def test_what_only_reads_does_not_name_it(operator: Operator) -> None:
    assert operator.project.inv("db.status", check=0).stderr == ""
    assert operator.project.inv("db.migrate", "--dry-run", check=0).stderr == ""


def test_by_a_loopback_address_the_database_is_local(project: Project, database: Database) -> None:
    with forward_tcp("127.0.0.1", database.server.cluster.socket) as port:
        url = f"postgresql://postgres@localhost:{port}/{database.name}"
        operator = Operator(replace(project, database_url=url), database)
        operator.write_tables(A)
        assert operator.project.inv("db.migrate", check=0).stderr == ""
    assert read_label(database) == [("local",)]
