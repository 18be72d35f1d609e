"""The label of a database: which runs it refuses, and what is recorded."""

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.ledger.environment_label import Belonging, choose_label, is_loopback
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, Operator

ON_FLY = {"FLY_APP_NAME": "gaia-prod"}


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    operator = Operator(project, database)
    operator.write_tables(A)
    return operator


def read_label(database: Database) -> str:
    ((label,),) = database.query("SELECT value FROM schema_migrations_meta WHERE key = 'environment'")
    return str(label)


def test_a_database_that_a_fly_machine_migrated_is_recognised_on_a_laptop(operator: Operator) -> None:
    operator.project.migrate(env=ON_FLY, check=0)
    assert read_label(operator.database) == "gaia-prod"
    refused = operator.project.inv("db.rollback", "--to=0", check=3)
    assert "this run is for local, but the database belongs to gaia-prod" in refused.stderr
    assert operator.read_tables() == ["a"]


def test_the_first_environment_of_an_app_replaces_its_name(operator: Operator) -> None:
    operator.project.migrate(env=ON_FLY, check=0)
    operator.write_tables(B)
    operator.project.migrate("--env=prod", env=ON_FLY, check=0)
    assert read_label(operator.database) == "prod"
    operator.project.migrate(env=ON_FLY, check=0)
    assert read_label(operator.database) == "prod"


def test_the_environment_whose_setting_names_the_app_may_use_its_database(operator: Operator) -> None:
    operator.project.migrate(env=ON_FLY, check=0)
    assert operator.read_status(environment="prod", fly_app="gaia-prod").rows
    with pytest.raises(RefusedError, match="the database belongs to gaia-prod"):
        operator.read_status(environment="prod", fly_app="gaia-blue")


@pytest.mark.parametrize(
    ("label", "run", "allowed", "recorded"),
    [
        ("", Belonging(), True, ""),
        ("", Belonging("prod"), True, "prod"),
        ("", Belonging("", "gaia-prod"), True, "gaia-prod"),
        ("", Belonging("prod", "gaia-prod"), True, "prod"),
        ("prod", Belonging("prod"), True, ""),
        ("prod", Belonging("staging"), False, ""),
        ("prod", Belonging("", "gaia-prod"), True, ""),
        ("gaia-prod", Belonging("", "gaia-prod"), True, ""),
        ("gaia-prod", Belonging("", "gaia-blue"), True, ""),
        ("gaia-prod", Belonging("prod", "gaia-prod"), True, "prod"),
        ("gaia-prod", Belonging("prod"), False, ""),
        ("gaia-prod", Belonging("staging", "gaia-staging"), False, ""),
        ("gaia-prod", Belonging("local"), False, ""),
    ],
)
def test_a_label_is_checked_and_replaced(label: str, run: Belonging, *, allowed: bool, recorded: str) -> None:
    assert run.matches(label) == allowed
    if allowed:
        assert choose_label(label, run, on_this_machine=True) == recorded


@pytest.mark.parametrize(("confirmed", "recorded"), [(False, ""), (True, "local")])
def test_a_local_database_on_another_machine_gets_its_label_only_if_that_was_confirmed(*, confirmed: bool, recorded: str) -> None:
    assert choose_label("", Belonging("local", confirmed=confirmed), on_this_machine=False) == recorded


@pytest.mark.parametrize(
    ("host", "address", "expected"),
    [
        ("/var/run/postgresql", "", True),
        ("@abstract", "", True),
        ("localhost", "", True),
        ("localhost", "127.0.0.1", True),
        ("db.example.com", "127.0.0.1", True),
        ("::1", "::1", True),
        ("127.0.0.2", "", True),
        ("localhost", "10.0.0.1", False),
        ("db.example.com", "", False),
        ("10.0.0.1", "10.0.0.1", False),
    ],
)
def test_a_host_is_this_machine_by_its_address(host: str, address: str, *, expected: bool) -> None:
    assert is_loopback(host, address) == expected


def test_a_run_for_another_environment_is_refused(operator: Operator) -> None:
    operator.migrate(environment="prod")
    with pytest.raises(RefusedError, match="this run is for staging, but the database belongs to prod"):
        operator.migrate(environment="staging")
