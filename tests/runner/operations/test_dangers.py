"""The warnings about what is dangerous in an environment, though a run works there."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tasks.checks.environment import check_files
from tasks.runner import MigrationRunner
from tasks.runner.events import CheckMade, ProbeRead
from tasks.runner.operations.probe import probe
from tests.kit.databases import Database
from tests.kit.roles import MakeRole, make_roles, use_as
from tests.kit.tcp import find_address, forward_tcp


@pytest.fixture
def make_role(any_database: Database) -> Iterator[MakeRole]:
    """Yield a function that creates a role of the server."""
    with make_roles(any_database) as make:
        yield make


def list_warnings(database: Database, environment: str = "staging") -> dict[str, CheckMade]:
    """Return the warnings about a database, by name."""
    (event,) = probe(MigrationRunner(database.url, environment=environment))
    assert isinstance(event, ProbeRead)
    return {check.name: check for check in event.checks if check.warning}


def close_public(database: Database) -> None:
    """Revoke what PostgreSQL 14 grants to everybody."""
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")


def test_an_owner_without_further_rights_is_no_danger(any_database: Database, make_role: MakeRole) -> None:
    owner = make_role("owner")
    any_database.execute(f'ALTER DATABASE {any_database.name} OWNER TO "{owner}"')
    close_public(any_database)
    assert list_warnings(use_as(any_database, owner)) == {}
    any_database.execute(f"ALTER DATABASE {any_database.name} OWNER TO postgres")


def test_a_superuser_is_named_except_on_a_developers_own_server(database: Database) -> None:
    warning = list_warnings(database)["runner"]
    assert warning.found.startswith("postgres is a superuser")
    assert f"ALTER DATABASE {database.name} OWNER TO {database.name}_migrations;" in warning.hint
    assert list_warnings(database, "local") == {}


@pytest.mark.parametrize("who", ["PUBLIC", "role"])
def test_a_schema_in_which_others_may_create_comes_with_its_revoke(who: str, any_database: Database, make_role: MakeRole) -> None:
    close_public(any_database)
    grantee = "PUBLIC" if who == "PUBLIC" else f'"{make_role("other")}"'
    any_database.execute(f"GRANT CREATE ON SCHEMA public TO {grantee}")
    warning = list_warnings(any_database, "local")["search_path"]
    assert warning.found.startswith(f"{grantee} may create objects in the schema public")
    any_database.execute(warning.hint)
    assert list_warnings(any_database, "local") == {}


def test_the_owner_of_a_database_may_still_create_after_the_revoke_in_a_schema_of_another_role(
    any_database: Database, make_role: MakeRole
) -> None:
    owner = make_role("owner")
    any_database.execute(f'ALTER DATABASE {any_database.name} OWNER TO "{owner}"')
    # What PostgreSQL 14 has by default.
    any_database.execute("ALTER SCHEMA public OWNER TO postgres; GRANT CREATE ON SCHEMA public TO PUBLIC")
    as_owner = use_as(any_database, owner)
    warning = list_warnings(as_owner, "local")["search_path"]
    assert warning.hint.startswith("-- postgres, who owns the schema, or a superuser has to run this:")
    any_database.execute(warning.hint)
    assert list_warnings(as_owner, "local") == {}
    with psycopg.connect(as_owner.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE still_allowed ()")
    any_database.execute(f"ALTER DATABASE {any_database.name} OWNER TO postgres")


def test_a_schema_that_another_role_owns_is_named(any_database: Database, make_role: MakeRole) -> None:
    close_public(any_database)
    owner, other = make_role("owner"), make_role("other")
    any_database.execute(f'CREATE SCHEMA "{owner}" AUTHORIZATION "{other}"; GRANT USAGE ON SCHEMA "{owner}" TO PUBLIC')
    warning = list_warnings(use_as(any_database, owner), "local")["search_path"]
    assert f'"{other}" may create objects in the schema "{owner}"' in warning.found
    any_database.execute(warning.hint)
    assert list_warnings(use_as(any_database, owner), "local") == {}


def test_a_schema_that_others_could_create_first_in_the_path_is_named(any_database: Database, make_role: MakeRole) -> None:
    close_public(any_database)
    owner, other = make_role("owner"), make_role("other")
    any_database.execute(f'GRANT CREATE ON DATABASE {any_database.name} TO "{other}"')
    warning = list_warnings(use_as(any_database, owner), "local")["search_path"]
    assert warning.found == f'it begins with "$user", and "{other}" may create the schema "{owner}"'
    any_database.execute(warning.hint)
    assert list_warnings(use_as(any_database, owner), "local") == {}


def test_a_connection_to_another_machine_without_encryption_is_named(database: Database) -> None:
    address = find_address()
    with forward_tcp(address, database.server.cluster.socket) as port:
        url = f"postgresql://postgres@{address}:{port}/{database.name}"
        (event,) = probe(MigrationRunner(url, environment="staging"))
    assert isinstance(event, ProbeRead)
    found = {check.name: check.found for check in event.checks if check.warning}
    assert found["encryption"] == f"the connection to {address} is not encrypted"


@pytest.mark.parametrize(
    ("mode", "verbs"), [(0o600, ""), (0o640, "read"), (0o604, "read"), (0o666, "read and write"), (0o622, "write")]
)
def test_a_file_with_passwords_that_other_accounts_may_use_is_named(mode: int, verbs: str, tmp_path: Path) -> None:
    for name in (".env", ".env.staging", ".env.prod"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o666)
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / ".env.staging").chmod(mode)
    found = [check.found for check in check_files("staging", tmp_path)]
    assert found == ([f"other accounts of this machine may {verbs} .env.staging, which can contain passwords"] if verbs else [])
