"""Which databases count as local: production may be reached at a loopback address too."""

from dataclasses import replace

import pytest

from tasks.commands.local.locality import require_local
from tasks.config.environments import Environment, load_environment
from tasks.runner.errors import RefusedError
from tasks.runner.signals import Stop
from tests.kit.databases import Database
from tests.kit.tcp import find_address, forward_tcp
from tests.runner.operating import A, Operator


def describe(url: str, name: str = "local", **properties: object) -> Environment:
    """Return an environment whose database has a URL."""
    environment = load_environment("local", environ={"DATABASE_URL": url})
    return replace(environment, name=name, **properties)  # type: ignore[arg-type]


def require(environment: Environment) -> str:
    return require_local(environment, Stop(), command="db.drop")


def test_an_empty_database_and_one_labelled_local_are_local(operator: Operator) -> None:
    operator.database.execute("CREATE EXTENSION citext")
    environment = describe(operator.database.url)
    assert require(environment) == operator.database.url
    operator.write_tables(A)
    operator.migrate(environment="local")
    assert require(environment) == operator.database.url


@pytest.mark.parametrize("label", ["prod", "gaia-prod", ""])
def test_a_database_with_another_label_or_none_is_refused_at_a_loopback_address(operator: Operator, label: str) -> None:
    operator.write_tables(A)
    operator.migrate(environment=label)
    with forward_tcp("127.0.0.1", operator.database.server.cluster.socket) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/{operator.database.name}"
        with pytest.raises(RefusedError, match=f"belongs to {label}" if label else "no label that it is local"):
            require(describe(url))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE t ()",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('ok')",
        "SELECT lo_create(0)",
    ],
)
def test_a_database_with_any_object_and_no_label_is_refused(database: Database, statement: str) -> None:
    database.execute(statement)
    with pytest.raises(RefusedError, match="has tables or other objects"):
        require(describe(database.url))


def test_a_database_on_another_machine_is_refused_even_if_it_is_empty(database: Database) -> None:
    address = find_address()
    with (
        forward_tcp(address, database.server.cluster.socket) as port,
        pytest.raises(RefusedError, match="is not on this machine"),
    ):
        require(describe(f"postgresql://postgres@{address}:{port}/{database.name}"))


def test_a_fly_app_a_guarded_environment_and_a_list_of_servers_are_refused(database: Database) -> None:
    with pytest.raises(RefusedError, match=r"runs on Fly \(gaia-dev\)"):
        require(describe("", name="dev", fly_app="gaia-dev"))
    with pytest.raises(RefusedError, match="prod is guarded"):
        require(describe(database.url, name="prod", guarded=True))
    with pytest.raises(RefusedError, match="names several servers"):
        require(describe(f"{database.url}&host=localhost,example.com"))
