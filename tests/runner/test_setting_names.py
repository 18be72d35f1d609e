"""Which names are misspelt settings, and which settings have no effect where they are set."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.runner.setting_names import (
    Misspelling,
    describe_process_misspellings,
    find_misplaced,
    find_misspelling,
    find_misspellings,
    is_one_edit_away,
    list_names,
)
from tasks.runner.settings import ENVIRONMENT_FILE, PROCESS, SETTINGS, SHARED_FILE, describe_settings
from tests.kit.projects import REPOSITORY

ENVIRONMENTS = ("local", "dev", "staging", "prod", "my-review", "review-1")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("LOCK_TIMOUT", "LOCK_TIMEOUT"),
        ("LOCK_TIMEOUTS", "LOCK_TIMEOUT"),
        ("LOCK_TIME0UT", "LOCK_TIMEOUT"),
        ("LOCK_TIMEOTU", "LOCK_TIMEOUT"),
        ("LOKC_TIMEOUT", "LOCK_TIMEOUT"),
        ("LOCKTIMEOUT", "LOCK_TIMEOUT"),
        ("OLCK_TIMEOUT", "LOCK_TIMEOUT"),
        ("ALERT_URL", "ALERT_URLS"),
        ("SEED_DIR", "SEEDS_DIR"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABAES_URL", "DATABASE_URL"),
        ("WATCHDRIFT", "WATCH_DRIFT"),
        ("MIGRATION_DIR", "MIGRATIONS_DIR"),
        ("FLY_SSH_USR", "FLY_SSH_USER"),
        ("FLY_CALL_TIMEOTU", "FLY_CALL_TIMEOUT"),
        ("GIT_REVISON", "GIT_REVISION"),
        ("FLY_APP_STAGIN", "FLY_APP_STAGING"),
        ("FLY_APP_MYREVIEW", "FLY_APP_MY_REVIEW"),
        ("LOCK_TIMEOUT_MS", "LOCK_TIMEOUT"),
        ("LOCK_RETRIES", "LOCK_ATTEMPTS"),
        ("MIGRATE_USER", "MIGRATE_ACTOR"),
        ("MIGRATE_LOCK_TIMEOUT", "LOCK_TIMEOUT"),
        ("MIGRATIONS_FOLDER", "MIGRATIONS_DIR"),
        ("SCRATCH_URL", "SCRATCH_DATABASE_URL"),
        ("LOCK_", "LOCK_TIMEOUT"),
    ],
)
def test_a_name_that_looks_like_a_setting_is_a_misspelling_of_the_nearest(name: str, nearest: str) -> None:
    assert find_misspelling(name, list_names(ENVIRONMENTS)) == Misspelling(name, nearest)


@pytest.mark.parametrize(
    "name",
    [
        *list_names(ENVIRONMENTS),
        # The platform's.
        "FLY_APP_NAME",
        "FLY_REGION",
        "FLY_MACHINE_ID",
        "FLY_API_TOKEN",
        "PRIMARY_REGION",
        # Databases of the application, even if they are near to a setting.
        "DATABASE_URI",
        "DATABASE_URLS",
        "TEST_DATABASE_URL",
        "DATABASE_POOL_SIZE",
        "SCRATCH_DATABASE_NAME",
        "MIGRATE_DATABASE_URL",
        # Near to a setting with fewer than eight letters.
        "GUARD",
        "GUARDEDS",
        "FLY_ORGS",
        # An environment that this checkout has no file for.
        "FLY_APP_REVIEW_2",
        "FLY_APP_PREVIEW",
        # Two edits away.
        "FLY_CAL_TIMOUT",
        "ALERT_URI",
        "WATCH",
        # Another first part.
        "LOCKED_BY",
        "LOCK",
        "MIGRATION_TOOL",
        "APP_LOCK_TIMEOUT",
        "lock_timeout",
        "PATH",
        "HOME",
        "PGPASSWORD",
        "SECRET_KEY",
        "",
    ],
)
def test_other_names_are_not_misspellings(name: str) -> None:
    assert find_misspelling(name, list_names(ENVIRONMENTS)) is None


def test_the_fly_apps_of_environments_with_one_letter_are_not_misspellings_of_each_other() -> None:
    assert find_misspelling("FLY_APP_B", list_names(["a"])) is None


@pytest.mark.parametrize(
    ("name", "other", "is_one"),
    [
        ("ABCD", "ABCD", False),
        ("ABC", "ABCD", True),
        ("BCD", "ABCD", True),
        ("AABCD", "ABCD", True),
        ("ABXD", "ABCD", True),
        ("ABDC", "ABCD", True),
        ("BACD", "ABCD", True),
        ("BADC", "ABCD", False),
        ("CBAD", "ABCD", False),
        ("XBCX", "ABCD", False),
        ("AB", "ABCD", False),
        ("", "A", True),
        ("", "", False),
    ],
)
def test_one_edit_is_a_character_or_two_swapped_neighbors(name: str, other: str, is_one: bool) -> None:
    assert (is_one_edit_away(name, other), is_one_edit_away(other, name)) == (is_one, is_one)


def test_misspellings_of_the_process_are_warnings_in_alphabetical_order() -> None:
    environ = dict.fromkeys(("PATH", "LOCK_TIMOUT", "ALERT_URL", "LOCK_TIMEOUT"), "x")
    assert [found.name for found in find_misspellings(environ)] == ["ALERT_URL", "LOCK_TIMOUT"]
    assert describe_process_misspellings(environ) == [
        "WARNING: ALERT_URL in the process environment is not a setting; did you mean ALERT_URLS?",
        "WARNING: LOCK_TIMOUT in the process environment is not a setting; did you mean LOCK_TIMEOUT?",
    ]


@pytest.mark.parametrize(
    ("name", "place", "environment", "reason"),
    [
        ("LOCK_TIMEOUT", SHARED_FILE, "dev", ""),
        ("LOCK_TIMEOUT", ENVIRONMENT_FILE, "dev", ""),
        ("DATABASE_URL", SHARED_FILE, "dev", ""),
        ("FLY_APP_DIR", ENVIRONMENT_FILE, "dev", ""),
        ("FLY_APP_DEV", ENVIRONMENT_FILE, "dev", ""),
        ("FLY_APP_STAGING", SHARED_FILE, "dev", ""),
        ("FLY_APP_NAME", ENVIRONMENT_FILE, "dev", ""),
        ("OTHER", ENVIRONMENT_FILE, "dev", ""),
        ("GIT_REVISION", SHARED_FILE, "dev", "GIT_REVISION has no effect in a file"),
        ("GIT_REVISION", ENVIRONMENT_FILE, "dev", "GIT_REVISION has no effect in a file"),
        ("FLY_APP_STAGING", ENVIRONMENT_FILE, "dev", "FLY_APP_STAGING is not used for dev: set FLY_APP_DEV"),
        ("FLY_APP_LOCAL", SHARED_FILE, "dev", "FLY_APP_LOCAL has no effect: the environment local is never on Fly"),
    ],
)
def test_a_setting_without_effect_where_it_is_set_has_a_reason(name: str, place: str, environment: str, reason: str) -> None:
    found = find_misplaced(name, place, environment)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_the_table_describes_each_setting_once() -> None:
    rows = describe_settings()
    assert len({name for name, *_ in rows}) == len(rows) == len(SETTINGS)
    for name, kind, _, places, description in rows:
        assert name == name.strip()
        assert kind
        assert PROCESS in places
        assert description
        assert not description.endswith(".")


READS_OF_THE_PROCESS_ENVIRONMENT = {
    # The settings.
    ("runner/settings.py", "all"),
    ("config/environments.py", "all"),
    # Completion, which imports none of the settings, so that it is quick; it reads MIGRATIONS_DIR.
    ("commands/shell/completion.py", "all"),
    # What CI systems set.
    ("commands/check_order.py", "all"),
    ("console/streams.py", "all"),
    ("report/annotations.py", "all"),
    # The editor, and where an account keeps its caches.
    ("commands/generate/new_from.py", "all"),
    ("commands/new.py", "all"),
    # Where an account keeps its caches.
    ("commands/generate/check_models.py", "all"),
    ("commands/rehearse/verify.py", "all"),
    ("testing.py", "all"),
    # What a child process inherits, and what is hidden in its output.
    ("alembic_import/process.py", "all"),
    ("models/importing.py", "all"),
    ("programs/service_file.py", "all"),
    ("checkout/git.py", "all"),
    ("fly/flyctl.py", "all"),
    ("postgres/server/control.py", "PATH"),
    ("runner/identity.py", "all"),
    # What belongs to libpq, the terminal and the user's home; flyctl's tokens are hidden in output.
    ("fly/flyctl.py", "name"),
    ("rehearsal/scratch/addresses.py", "PGDATABASE"),
    ("rehearsal/scratch/addresses.py", "PGHOST"),
    ("rehearsal/scratch/addresses.py", "PGHOSTADDR"),
    ("rehearsal/scratch/addresses.py", "PGPORT"),
    ("rehearsal/scratch/addresses.py", "PGUSER"),
    ("report/__init__.py", "TERM"),
    ("runner/files/checksums.py", "HOME"),
    ("runner/files/checksums.py", "XDG_CACHE_HOME"),
}
"""The files below tasks/ that read os.environ, with what they read of it."""


def test_settings_are_read_from_the_process_environment_in_one_place() -> None:
    found = {
        (str(path.relative_to(REPOSITORY / "tasks")), name)
        for path in (REPOSITORY / "tasks").rglob("*.py")
        for name in find_reads(path)
    }
    assert found - READS_OF_THE_PROCESS_ENVIRONMENT == set()


def test_no_setting_is_in_the_list_of_other_reads() -> None:
    assert {name for _, name in READS_OF_THE_PROCESS_ENVIRONMENT} & {*list_names()} == set()


def find_reads(path: Path) -> Iterator[str]:
    """Yield the name of each variable of the process environment that a module reads, or `all` for the environment itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {"environ", "getenv"} & {a.name for a in node.names}:
            yield "all"
        if not (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb")):
            continue
        parent = parents[node]
        if isinstance(parent, ast.Subscript):
            yield _show(parent.slice)
        elif isinstance(parent, ast.Attribute) and parent.attr == "get":
            call = parents[parent]
            yield _show(call.args[0]) if isinstance(call, ast.Call) else "all"
        elif isinstance(parent, ast.Call) and parent.func is node:
            yield _show(parent.args[0])
        else:
            yield "all"


def _show(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)
