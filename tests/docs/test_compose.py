"""docs/compose.yaml: its services fit together, and what its migrating service runs brings a database to the schema."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.kit.databases import Database
from tests.kit.projects import REPOSITORY, Project


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((REPOSITORY / "docs" / "compose.yaml").read_text())
    return read


def test_the_application_starts_after_the_migrations_and_these_after_the_database(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert services["app"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert "healthcheck" in services["database"]
    mounted = {volume.partition(":")[0] for volume in services["database"]["volumes"]}
    assert mounted == compose["volumes"].keys()


def test_every_url_is_the_one_of_the_database(compose: dict[str, Any]) -> None:
    database = compose["services"]["database"]["environment"]
    host = f"postgresql://postgres:{database['POSTGRES_PASSWORD']}@"
    urls = {compose["services"][name]["environment"]["DATABASE_URL"] for name in ("migrate", "app")}
    assert urls == {f"{host}database:5432/{database['POSTGRES_DB']}"}
    port = compose["services"]["database"]["ports"][0].removesuffix(":5432")
    head = (REPOSITORY / "docs" / "compose.yaml").read_text().partition("services:")[0]
    assert set(re.findall(r"_?DATABASE_URL=(\S+)", head)) == {f"{host}{port}/{database['POSTGRES_DB']}", f"{host}{port}/postgres"}


def test_only_this_machine_reaches_the_published_ports(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_migrating_service_runs_commands_that_exist(compose: dict[str, Any], project: Project, database: Database) -> None:
    project.write_up("20250101000000_a", "CREATE TABLE a (id int);")
    project.write_seed("001_a", "INSERT INTO a VALUES (1);")
    *_, script = compose["services"]["migrate"]["command"]
    install, *commands = script.splitlines()
    assert install.startswith("python -m pip install ")
    assert (REPOSITORY / install.split()[-1]).is_file()
    for command in commands:
        python, program, *arguments = command.split()
        assert (python, program) == ("python", "scripts/migrate.py")
        project.migrate(*arguments, check=0)
    assert database.query("SELECT id FROM a") == [(1,)]
