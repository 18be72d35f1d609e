"""The env.* tasks as users run them: the configuration of each environment, and what one of them lacks."""

from pathlib import Path

import pytest

from tasks.checks.summary import describe_environment
from tasks.config.environments import load_environment
from tasks.runner.events import EnvironmentKnown, ProbeRead, from_json
from tests.kit.checkouts import make_checkout
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, Operator


def test_the_list_shows_the_configuration_of_each_environment(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    checkout.write_env(FLY_APP_DEV="gaia-dev", ALERT_URLS="json://one", GUARDED='"prod my-review"')
    checkout.write_env("staging", DATABASE_URL="postgresql://gaia:s3cret@db.example:5433/gaia", ALERT_URLS="json://two")
    checkout.write_env("my-review", LOCK_TIMEOUT="1s")
    result = checkout.inv("env.list", check=0)
    head, *rows = ([cell for cell in line.split("  ") if cell] for line in result.stdout.splitlines())
    assert [cell.strip() for cell in head] == ["environment", "reached", "guarded", "alerts"]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["local", "the embedded PostgreSQL in .postgres/", "to 1 address"],
        ["dev", "on Fly: the app gaia-dev", "to 1 address"],
        ["staging", "by URL: gaia@db.example:5433/gaia", "to 2 addresses"],
        ["prod", "not configured: set FLY_APP_PROD in .env, or DATABASE_URL in .env.prod", "guarded", "to 1 address"],
        [
            "my-review",
            "not configured: set FLY_APP_MY_REVIEW in .env, or DATABASE_URL in .env.my-review",
            "guarded",
            "to 1 address",
        ],
    ]
    assert not (checkout.root / ".postgres").exists()


@pytest.mark.parametrize(
    ("name", "environ", "summary"),
    [
        ("local", {"DATABASE_URL": "postgresql://me:s3cret@h/db"}, ("by URL: me@h:5432/db", False, 0)),
        ("dev", {"DATABASE_URL": "user=me host=h,i port=1,2"}, ("by URL: me@h:1,i:2/me", False, 0)),
        ("dev", {"FLY_APP_DEV": "gaia-dev", "DATABASE_URL": "postgresql://h/db"}, ("on Fly: the app gaia-dev", False, 0)),
        ("prod", {"FLY_APP_PROD": "gaia", "ALERT_URLS": "a://1 b://2"}, ("on Fly: the app gaia", True, 2)),
    ],
)
def test_the_summary_names_how_a_database_is_reached(
    tmp_path: Path, name: str, environ: dict[str, str], summary: tuple[str, bool, int]
) -> None:
    environment = load_environment(name, project=tmp_path, environ=environ)
    assert describe_environment(environment) == EnvironmentKnown(name, *summary)


def test_a_check_without_failures_exits_with_0(project: Project, database: Database) -> None:
    result = project.inv("env.check", check=0)
    lines = result.stdout.splitlines()
    assert lines[0] == "✅ DATABASE_URL: set"
    assert lines[-1] == "✅ ledger: none yet; the first run creates it"
    assert all(line.startswith("✅ ") for line in lines)
    assert database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_a_check_with_failures_exits_with_4_and_prints_the_next_step(project: Project, database: Database) -> None:
    operator = Operator(project, database)
    operator.write_tables(A)
    operator.migrate(environment="prod")
    result = project.inv("env.check", "--env=staging", check=4)
    *passed, failed, hint, command = result.stdout.splitlines()
    assert [line for line in passed if not line.startswith(("✅ ", "   "))] == [
        "⚠️  runner: postgres is a superuser: what a migration does, it may do to the server and all its databases"
    ]
    assert failed == "❌ ledger: this run is for staging, but the database belongs to prod"
    assert hint.startswith("   Next:  Check --env and DATABASE_URL.")
    assert command.strip().startswith("UPDATE public.schema_migrations_meta")
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("environment", "url", "names", "found"),
    [
        ("staging", "", ["DATABASE_URL"], "DATABASE_URL not set for staging"),
        ("local", "postgresql://me:s3cret@127.0.0.1:1/db", ["DATABASE_URL", "database"], "cannot connect to me@127.0.0.1:1/db"),
    ],
)
def test_the_checks_stop_at_a_failure_that_prevents_the_others(
    project: Project, environment: str, url: str, names: list[str], found: str
) -> None:
    result = project.at(url).inv("env.check", f"--env={environment}", "--json", check=4)
    event = from_json(result.stdout)
    assert isinstance(event, ProbeRead)
    assert [check.name for check in event.checks] == names
    assert not event.checks[-1].passed
    assert event.checks[-1].found.startswith(found)
    assert event.checks[-1].hint
    assert "s3cret" not in result.stdout


def test_the_error_about_an_unknown_environment_lists_the_known_ones(project: Project) -> None:
    result = project.inv("env.check", "--env=moon", check=2)
    assert "there is no environment moon" in result.stderr
    assert "Known are local, dev, staging, prod" in result.stderr
