"""Tests of the disks of the stand-in's machines: the deployed app, and images that lack something."""

from collections.abc import Callable

import pytest

from tests.kit.databases import Database, ask
from tests.kit.fly.client import shell
from tests.kit.fly.images import Image
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import REPOSITORY, Project

ENVIRONMENTS = ("dev", "staging", "prod")


def migrate(machine: FlyMachine, *arguments: str) -> str:
    """Run the runner on a machine without SSH, and return what it printed."""
    result = machine.run_command(shell(f'cd "$APP_DIR" && python scripts/migrate.py {" ".join(arguments)}'))
    return result.stdout + result.stderr


def test_each_app_has_its_own_machine_and_database(fly: FlyWorld, new_database: Callable[[], Database]) -> None:
    databases = [new_database() for _ in ENVIRONMENTS]
    for name, database in zip(ENVIRONMENTS, databases, strict=True):
        fly.add_app(f"gaia-{name}", database, image=Image(has_app=False))
    urls = [fly.machine(f"gaia-{name}").environment["DATABASE_URL"] for name in ENVIRONMENTS]
    assert [ask(url, "SELECT current_database()") for url in urls] == [database.name for database in databases]
    assert {fly.env[f"FLY_APP_{name.upper()}"] for name in ENVIRONMENTS} == {f"gaia-{name}" for name in ENVIRONMENTS}


def test_a_deploy_replaces_the_files(fly: FlyWorld, project: Project) -> None:
    old = project.write_up("20260101000000_old", "CREATE TABLE old ()")
    machine = fly.add_app("gaia-dev", files=project.root)[0]
    new = project.write_up("20260101000000_new", "CREATE TABLE new ()")
    old.unlink()
    folder = machine.app / "migrations" / "up"
    assert [path.name for path in folder.iterdir()] == [old.name]
    machine.deploy(project.root)
    assert [path.name for path in folder.iterdir()] == [new.name]


def test_a_machine_may_have_another_version_of_the_tool(fly: FlyWorld) -> None:
    machine = fly.add_app("gaia-dev")[0]
    machine.edit("scripts/migrate.py", "if __name__", 'print("older")\nif __name__')
    assert migrate(machine, "--help").startswith("older\n")
    assert "older" not in (REPOSITORY / "scripts" / "migrate.py").read_text()


def test_a_machine_without_a_database_reports_that(fly: FlyWorld) -> None:
    machine = fly.add_app("gaia-dev")[0]
    assert "DATABASE_URL not set" in migrate(machine)


def test_an_image_has_only_what_the_runner_needs(fly: FlyWorld) -> None:
    machine = fly.add_app("gaia-dev")[0]
    script = "python -c 'import psycopg, pglast; from importlib.metadata import version; version(\"pglast\"); import fabric'"
    assert machine.run_command(script).stderr.endswith("No module named 'fabric'\n")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image(has_app=False), "can't cd to"),
        (Image(packages=("pglast",)), "lacks the package psycopg"),
        (Image(has_python=False), "python: not found"),
    ],
)
def test_an_image_may_lack_something(fly: FlyWorld, image: Image, message: str) -> None:
    machine = fly.add_app("gaia-dev", image=image)[0]
    machine.change_environment(DATABASE_URL="postgresql://localhost:1/nothing")
    if not image.has_python:
        machine.change_environment(PATH=f"{machine.folder.disk}/bin:/nowhere")
    assert message in migrate(machine)
