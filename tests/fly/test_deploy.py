"""scripts/deploy.sh in a checkout of its own: what the deploy snippet of the strategy document intends, on a Fly machine."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fly.operating import STAGING
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database
from tests.kit.fly.images import copy_files
from tests.kit.fly.world import FlyWorld

VERSIONS = [f"2025010{number}000000_create_t{number}" for number in range(1, 8)]
PROD = "gaia-gateway-prod"


@dataclass(frozen=True)
class Deployer:
    """A user who deploys from a checkout."""

    checkout: Checkout
    fly: FlyWorld

    def deploy(self, *arguments: str, check: int, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run the script, and fail unless it exits with this code."""
        env = self.fly.env | {"FLY_SSH_USER": self.fly.login} | variables
        return self.checkout.run(["./scripts/deploy.sh", *arguments], env=env, check=check)


@pytest.fixture
def deployer(tmp_path: Path, fly: FlyWorld) -> Deployer:
    """Return a deployer with seven migrations."""
    checkout = make_checkout(tmp_path / "check out")
    for version in VERSIONS:
        checkout.write_up(version, f"CREATE TABLE {version[-2:]} ();")
    return Deployer(checkout, fly)


def test_deploy_migrates_the_environment_and_shows_the_last_five_versions(deployer: Deployer, database: Database) -> None:
    (machine,) = deployer.fly.add_app(STAGING, database, files=deployer.checkout.root)
    result = deployer.deploy("staging", check=0)
    assert result.stdout.startswith("🔄 Running database migrations on staging\n")
    migrated, _, shown = result.stdout.partition("✅ All migrations completed!")
    assert [line.split()[2] for line in migrated.splitlines() if line.startswith("✅ Applied ")] == VERSIONS
    rows = [line.split() for line in shown.splitlines() if line.startswith("applied ")]
    assert [row[1] for row in rows] == VERSIONS[-5:]
    assert "2 applied versions not shown" in shown
    assert any("migrate.py migrate" in command for command in machine.commands)
    assert database.query("SELECT count(*) FROM schema_migrations") == [(7,)]


@pytest.mark.parametrize(
    ("spoil", "exit_code", "message"),
    [
        (lambda checkout: None, 1, "division by zero"),
        (lambda checkout: checkout.write_up("20250109000000_new", "SELECT 1;"), 3, "lacks 1 migration that this checkout has"),
    ],
    ids=["failed", "refused"],
)
def test_deploy_keeps_the_exit_code_and_shows_no_status_after_a_failure(
    deployer: Deployer, database: Database, spoil: Callable[[Checkout], object], exit_code: int, message: str
) -> None:
    deployer.checkout.write_up(VERSIONS[-1], "SELECT 1/0;")
    deployer.fly.add_app(STAGING, database, files=deployer.checkout.root)
    spoil(deployer.checkout)
    result = deployer.deploy("staging", check=exit_code)
    assert message in result.stdout + result.stderr
    assert "applied  " not in result.stdout


def test_deploy_accepts_the_name_of_an_app_and_passes_flags_to_the_migration(deployer: Deployer, database: Database) -> None:
    deployer.fly.add_app(PROD, database, environment="other", files=deployer.checkout.root)
    deployer.checkout.write_up("20250109000000_new", "SELECT 1;")
    guarded = deployer.deploy("prod", "--upload", check=3, APP_NAME=PROD)
    assert "guarded" in guarded.stderr
    deployer.deploy("prod", "--upload", "--yes", check=0, APP_NAME=PROD)
    assert database.query("SELECT count(*) FROM schema_migrations") == [(8,)]
    assert {call[call.index("-a") + 1] for call in deployer.fly.calls if "-a" in call} == {PROD}


def write_marked(deployer: Deployer) -> None:
    """Add a migration that runs after the deployment, and one behind it."""
    deployer.checkout.write_up("20250109000000_drop_t1", "-- migrate: after-deploy\nDROP TABLE t1;")
    deployer.checkout.write_up("20250110000000_create_t9", "CREATE TABLE t9 ();")


def count_tables(database: Database, *names: str) -> int:
    """Return how many of these tables exist."""
    ((found,),) = database.query("SELECT count(*) FROM pg_class WHERE relname = ANY (%s)", [list(names)])
    return int(found)


def test_an_upload_leaves_what_runs_after_the_deployment_to_the_second_step(deployer: Deployer, database: Database) -> None:
    (machine,) = deployer.fly.add_app(STAGING, database, files=deployer.checkout.root)
    write_marked(deployer)
    before = deployer.deploy("staging", "--upload", check=0)
    assert "is left pending: it runs after the deployment" in before.stdout
    assert count_tables(database, "t1", "t9") == 2
    early = deployer.deploy("staging", "--after-deploy", check=3)
    assert "lacks 2 migrations that this checkout has" in early.stderr
    copy_files(machine.folder, deployer.checkout.root)
    deployer.deploy("staging", "--after-deploy", check=0)
    assert count_tables(database, "t1", "t9") == 1


def test_upload_and_after_deploy_contradict_each_other(deployer: Deployer) -> None:
    result = deployer.deploy("staging", "--upload", "--after-deploy", check=2)
    assert "use one of them" in result.stderr
    assert deployer.fly.calls == []


def test_a_release_command_leaves_what_runs_after_the_deployment_pending(deployer: Deployer, database: Database) -> None:
    write_marked(deployer)
    (machine,) = deployer.fly.add_app(STAGING, database, files=deployer.checkout.root, starts_in_app=True)
    released = machine.run_command("python scripts/migrate.py --before-deploy")
    assert released.returncode == 0
    assert count_tables(database, "t1", "t9") == 2


def test_the_documented_release_command_works(deployer: Deployer, database: Database) -> None:
    (machine,) = deployer.fly.add_app(STAGING, database, files=deployer.checkout.root, starts_in_app=True)
    first, second = (machine.run_command("python scripts/migrate.py") for _ in range(2))
    assert first.stdout.endswith("✅ All migrations completed!\n")
    assert second.stdout.endswith("✅ Nothing to do: the database is up to date\n")
    assert (first.returncode, second.returncode) == (0, 0)
    assert database.query("SELECT count(*) FROM schema_migrations") == [(7,)]


@pytest.mark.parametrize("arguments", [(), ("--yes",), ("",)])
def test_without_an_environment_the_usage_is_printed(deployer: Deployer, arguments: tuple[str, ...]) -> None:
    result = deployer.deploy(*arguments, check=2)
    assert result.stderr.startswith("Usage: ./scripts/deploy.sh ENVIRONMENT [FLAGS]\n")
    assert result.stdout == ""
    assert deployer.fly.calls == []


def test_help_exits_with_0(deployer: Deployer) -> None:
    assert deployer.deploy("--help", check=0).stdout.startswith("Usage: ")


@pytest.mark.parametrize(
    ("environment", "variables", "exit_code", "message"),
    [
        ("staging; touch oops", {}, 2, "there is no environment 'staging; touch oops'"),
        ("$(touch oops)", {}, 2, "there is no environment '$(touch oops)'"),
        ("staging", {"APP_NAME": "$(touch oops) `touch oops`; touch oops"}, 1, "Could not find App"),
        ("dev,staging", {"APP_NAME": STAGING}, 1, "APP_NAME names one app, but 'dev,staging' is not one environment."),
    ],
)
def test_the_arguments_are_never_interpreted_by_a_shell(
    deployer: Deployer, environment: str, variables: dict[str, str], exit_code: int, message: str
) -> None:
    result = deployer.deploy(environment, check=exit_code, **variables)
    assert message in result.stderr
    assert not (deployer.checkout.root / "oops").exists()
