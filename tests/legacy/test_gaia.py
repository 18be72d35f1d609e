"""The folder of old files has the properties that its README describes."""

from collections import Counter
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from tasks.rehearsal.scratch.roles import find_created, find_named
from tests.kit.databases import Database, fresh_database
from tests.kit.servers import Server
from tests.legacy.history import INIT, LEGACY, NUMBERED, PERSONAS, SUPERSEDED, UNNUMBERED, WORKING
from tests.migrations.gaia import Schema, migrate_up, read_schema, run

pytestmark = pytest.mark.only_newest
"""The files need pgvector, which the downloaded programs of older versions lack."""


@pytest.fixture(scope="module")
def gaia(embedded: Server) -> Schema:
    """Return the schema that the project's migrations create."""
    with fresh_database(embedded) as database:
        migrate_up(database)
        return read_schema(database)


def list_files(*names: str) -> list[Path]:
    return [LEGACY / "migrations" / f"{name}.sql" for name in names]


def test_the_init_script_and_the_working_files_create_the_schema_of_the_migrations(gaia: Schema, database: Database) -> None:
    run(database, INIT, *WORKING)
    assert read_schema(database) == gaia


def test_the_persona_script_creates_the_same_as_a_migration(gaia: Schema, database: Database) -> None:
    run(database, INIT, PERSONAS, *WORKING, PERSONAS)
    assert read_schema(database) == gaia
    assert database.query("SELECT count(*) FROM personas") == [(1,)]


def test_some_numbers_are_used_twice() -> None:
    numbers = Counter(file.name[:3] for file in NUMBERED)
    assert numbers == {"001": 1, "002": 1, "003": 2, "004": 2, "005": 2, "006": 1, "007": 1, "008": 1}


@pytest.mark.parametrize(
    ("file", "error"),
    [*zip(SUPERSEDED, (errors.UndefinedColumn, errors.UndefinedTable), strict=True)],
    ids=[file.stem for file in SUPERSEDED],
)
def test_the_old_design_of_roles_fails_after_the_new_one(database: Database, file: Path, error: type[psycopg.Error]) -> None:
    run(database, INIT, *WORKING)
    schema = read_schema(database)
    with pytest.raises(error):
        run(database, file)
    database.execute("ROLLBACK")
    assert read_schema(database) == schema


def test_the_old_design_of_roles_works_alone_and_the_new_one_fails_after_it(database: Database) -> None:
    run(database, INIT, *SUPERSEDED)
    with pytest.raises(errors.UndefinedColumn):
        run(database, *list_files("003_add_rbac_tables"))


def test_the_files_without_a_number_need_a_schema_and_a_role_that_no_file_creates(database: Database) -> None:
    with_schema, with_role = UNNUMBERED
    run(database, INIT, *WORKING)
    with pytest.raises(psycopg.Error, match='schema "auth" does not exist'):
        run(database, with_schema)
    # A rehearsal of these files may just have made the role on this server.
    assert "anon" in find_named(with_role.read_text(encoding="utf-8"))
    assert not any("anon" in find_created(each.read_text(encoding="utf-8")) for each in (INIT, *WORKING, *UNNUMBERED))


def test_one_file_only_inserts_rows(database: Database) -> None:
    run(database, INIT, *list_files("001_create_asset_tables", "003_add_rbac_tables"))
    schema = read_schema(database)
    run(database, *list_files("006_default_roles_and_sources"))
    assert read_schema(database) == schema
    assert database.query("SELECT count(*) FROM roles") == [(7,)]
