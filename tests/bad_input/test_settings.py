"""Settings that are misspelt, misplaced or not valid, as a user meets them."""

import json
from pathlib import Path

import pytest

from tests.bad_input.refusals import V
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.databases import Database
from tests.kit.projects import Project

WARNING = "WARNING: LOCK_TIMOUT in the process environment is not a setting; did you mean LOCK_TIMEOUT?"
PLATFORM = {
    "FLY_APP_NAME": "gaia",
    "FLY_REGION": "fra",
    "FLY_MACHINE_ID": "e2865641be7428",
    "FLY_PROCESS_GROUP": "app",
    "TEST_DATABASE_URL": "postgresql://h/test",
    "DATABASE_URI": "postgresql://h/db",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path / "checkout")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (".env", "# mine\n\nLOCK_TIMOUT=1s\n", ".env:3: LOCK_TIMOUT is not a setting; did you mean LOCK_TIMEOUT?"),
        (".env", "export ALERT_URL=\n", ".env:1: ALERT_URL is not a setting; did you mean ALERT_URLS?"),
        (
            ".env.staging",
            "A=1\nFLY_APP_STAGIN=gaia\n",
            ".env.staging:2: FLY_APP_STAGIN is not a setting; did you mean FLY_APP_STAGING?",
        ),
        (".env.staging", "MIGRATE_USER=ada\n", ".env.staging:1: MIGRATE_USER is not a setting; did you mean MIGRATE_ACTOR?"),
        (
            ".env.staging",
            "FLY_APP_PROD=gaia\n",
            ".env.staging:1: FLY_APP_PROD is not used for staging: set FLY_APP_STAGING here, or FLY_APP_PROD in .env",
        ),
        (
            ".env",
            "GIT_REVISION=c0ffee\n",
            ".env:1: GIT_REVISION has no effect in a file, set it in the process environment: it describes the files of one run, "
            "so a value in a file would be out of date after the next commit",
        ),
        (".env", "FLY_CALL_TIMEOUT=soon\n", "FLY_CALL_TIMEOUT=soon: write a number of seconds, for example FLY_CALL_TIMEOUT=90"),
    ],
    ids=["misspelt", "empty", "fly app", "first part", "other environment's app", "process only", "not valid"],
)
def test_a_setting_of_a_file_that_would_be_ignored_ends_the_command_with_2(
    checkout: Checkout, file: str, text: str, message: str
) -> None:
    (checkout.root / file).write_text(text)
    result = checkout.inv("db.migrate", "--env=staging", check=2)
    words = " ".join(result.stderr.split())
    assert f"❌ {message} State: Nothing was changed. Next: Fix the settings, then run the command again." in words
    assert result.stdout == ""
    event = json.loads(checkout.inv("db.migrate", "--env=staging", "--json", check=2).stdout)
    assert (event["message"], event["exit_code"]) == (message, 2)


def test_names_of_others_are_ignored_everywhere(checkout: Checkout, database: Database) -> None:
    checkout.write_env("staging", DATABASE_URL=database.url, **PLATFORM)
    checkout.write_env(**PLATFORM)
    result = checkout.inv("db.status", "--env=staging", env=PLATFORM, check=0)
    assert result.stderr == ""


def test_a_misspelling_in_the_process_is_one_warning_for_all_commands_and_environments(
    checkout: Checkout, database: Database
) -> None:
    for name in ("staging", "dev"):
        checkout.write_env(name, DATABASE_URL=database.url)
    chain = ("db.status", "--env=staging,dev", "db.status", "--env=staging", "--json")
    result = checkout.inv(*chain, env={"LOCK_TIMOUT": "1s"}, check=0)
    assert result.stderr.splitlines() == [WARNING]
    assert "LOCK_TIMOUT" not in result.stdout


@pytest.mark.parametrize("command", ["migrate", "status", "files"])
def test_the_script_warns_on_stderr_and_leaves_json_pure(project: Project, command: str) -> None:
    project.write_up(V, "CREATE TABLE first ();")
    result = project.migrate(command, "--json", env={"LOCK_TIMOUT": "1s", **PLATFORM}, check=0)
    assert result.stderr.splitlines() == [WARNING]
    assert all(json.loads(line)["kind"] for line in result.stdout.splitlines())


def test_a_warning_does_not_hide_the_error(project: Project) -> None:
    result = project.at("").migrate(env={"LOCK_TIMOUT": "1s"}, check=1)
    assert result.stderr.splitlines()[:2] == [WARNING, "ERROR: DATABASE_URL not set"]


def test_a_name_that_a_terminal_would_obey_is_cleaned(project: Project) -> None:
    result = project.migrate("files", "--json", env={"LOCK_\x1b[31mX\nY": "1"}, check=0)
    assert "\x1b" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_actor_of_a_file_is_in_the_log(checkout: Checkout, database: Database) -> None:
    checkout.write_env(DATABASE_URL=database.url, MIGRATE_ACTOR="Ada")
    checkout.write_up(V, "CREATE TABLE first ();")
    checkout.inv("db.migrate", check=0)
    assert read_actors(database) == ["Ada"]


@pytest.mark.parametrize("arguments", [("migrate",), ("migrate", "--json")])
def test_an_actor_whose_bytes_are_not_utf8_is_recorded_with_a_replacement_character(
    project: Project, database: Database, arguments: tuple[str, ...]
) -> None:
    project.write_up(V, "CREATE TABLE first ();")
    result = project.migrate(*arguments, env={"MIGRATE_ACTOR": "J\udcf6rg"}, check=0)
    assert result.stderr == ""
    assert read_actors(database) == ["J\ufffdrg"]


def test_a_login_whose_bytes_are_not_utf8_is_recorded_likewise(project: Project, database: Database) -> None:
    project.write_up(V, "CREATE TABLE first ();")
    project.migrate(env={"LOGNAME": "J\udcf6rg"}, check=0)
    assert read_actors(database) == ["J\ufffdrg"]


def read_actors(database: Database) -> list[str]:
    return [actor for (actor,) in database.query("SELECT DISTINCT applied_by FROM schema_migrations")]
