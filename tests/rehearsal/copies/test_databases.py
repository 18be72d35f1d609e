"""Copies of templates, and what happens to them on the server."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tasks.rehearsal.copies.databases import DatabaseCopies
from tasks.rehearsal.copies.templates import TemplateFiles, ensure_template
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.lacks import LackError
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.projects import Project, make_project
from tests.runner.operating import A, B


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    """Return a checkout with one migration."""
    project = make_project(tmp_path / "checkout", "")
    project.write_up(A, "CREATE TABLE a (id int);")
    return project


@pytest.fixture
def files(checkout: Project) -> TemplateFiles:
    """Return the files of a template."""
    return TemplateFiles(checkout.migrations, checkout.seeds)


@pytest.fixture
def server(scratch: ScratchServer) -> Iterator[ScratchServer]:
    """Yield a scratch server as the plugin opens it, without states that others made."""
    with ScratchServer(scratch.url, as_superuser=True) as server:
        yield server
        server.drop_states()


@pytest.fixture
def copies(server: ScratchServer) -> Iterator[DatabaseCopies]:
    """Yield copies that are dropped in the end."""
    copies = DatabaseCopies(server)
    yield copies
    copies.close()


def read(server: ScratchServer, database: str, query: str) -> object:
    with psycopg.connect(server.url, dbname=database) as connection:
        row = connection.execute(query).fetchone()
    return row and row[0]


def test_a_template_is_found_again(server: ScratchServer, files: TemplateFiles) -> None:
    assert ensure_template(server, files) == ensure_template(server, files)


def test_a_template_that_was_dropped_is_made_again(server: ScratchServer, copies: DatabaseCopies, files: TemplateFiles) -> None:
    copies.drop(copies.take(files))
    ahead = copies.take(files)
    server.drop_states()
    # One copy was made ahead of the drop.
    for name in (copies.take(files), copies.take(files)):
        assert read(server, name, "SELECT count(*) FROM a") == 0
        copies.drop(name)
    copies.drop(ahead)


def test_a_copy_differs_from_the_one_before(server: ScratchServer, copies: DatabaseCopies, files: TemplateFiles) -> None:
    first, second = copies.take(files), copies.take(files)
    assert first != second
    for name in (first, second):
        copies.drop(name)


def test_sessions_that_a_test_ends_are_opened_again(server: ScratchServer, copies: DatabaseCopies, files: TemplateFiles) -> None:
    first = copies.take(files)
    with psycopg.connect(server.url, autocommit=True) as connection:
        others = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")
    second, third = copies.take(files), copies.take(files)
    for name in (first, second, third):
        assert read(server, name, "SELECT count(*) FROM a") == 0
        copies.drop(name)


def test_no_copy_is_left_when_they_are_closed(server: ScratchServer, files: TemplateFiles) -> None:
    copies = DatabaseCopies(server)
    names = [copies.take(files) for _ in range(12)]
    for name in names:
        copies.drop(name)
    copies.close()
    with psycopg.connect(server.url) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'migrate_scratch_%'").fetchall()
    assert left == []


def test_an_edited_file_leads_to_another_template(server: ScratchServer, checkout: Project, files: TemplateFiles) -> None:
    seeded = TemplateFiles(checkout.migrations, checkout.seeds, seeded=True)
    checkout.write_seed("001_a", "INSERT INTO a VALUES (1);")
    before = ensure_template(server, files), ensure_template(server, seeded)
    checkout.write_seed("001_a", "INSERT INTO a VALUES (2);")
    assert ensure_template(server, files) == before[0]
    other = ensure_template(server, seeded)
    assert other not in before
    checkout.write_up(A, "CREATE TABLE a (id bigint);")
    assert ensure_template(server, files) not in before


def test_a_role_that_migrations_create_may_exist(server: ScratchServer, checkout: Project, files: TemplateFiles) -> None:
    for edit in ("", " -- edited"):
        checkout.write_up(B, f"CREATE ROLE app_of_tests;\nGRANT SELECT ON a TO app_of_tests;{edit}")
        ensure_template(server, files)


def test_seeds_that_do_not_exist_are_named(server: ScratchServer, checkout: Project) -> None:
    with pytest.raises(ScratchError, match="there are no seeds in"):
        ensure_template(server, TemplateFiles(checkout.migrations, checkout.seeds, seeded=True))


def test_what_the_server_lacks_is_named(server: ScratchServer, checkout: Project, files: TemplateFiles) -> None:
    checkout.write_up(B, "CREATE EXTENSION postgis;")
    with pytest.raises(LackError, match=r"the schema for the tests cannot be made completely: .* the extension postgis"):
        ensure_template(server, files)
