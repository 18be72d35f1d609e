"""Environments: which setting is read from where, and what is wrong with it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.config.environments import Environment, find_database_url, list_environments, list_warnings, load_environment
from tasks.config.timeouts import DEFAULT_TIMEOUTS
from tasks.runner.errors import UsageError

PROCESS = "postgresql://process/db"
OWN = "postgresql://own/db"
SHARED = "postgresql://shared/db"


def load(project: Path, name: str = "local", **environ: str) -> Environment:
    return load_environment(name, project=project, environ=environ)


def refuse(project: Path, name: str = "local", **environ: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        load(project, name, **environ)
    assert refused.value.state == "Nothing was changed."
    return refused.value


def test_the_process_takes_precedence_over_the_own_file_and_that_over_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={SHARED}\nLOCK_TIMEOUT=1s\nLOCK_ATTEMPTS=1\n")
    (tmp_path / ".env.local").write_text(f"DATABASE_URL={OWN}\nLOCK_TIMEOUT=2s\n")
    settings = load(tmp_path, DATABASE_URL=PROCESS).settings
    assert (settings.database_url, settings.policy.lock_timeout_ms, settings.policy.attempts) == (PROCESS, 2000, 1)
    assert load(tmp_path).settings.database_url == OWN


def test_only_local_takes_its_database_from_the_shared_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={SHARED}\nDIRECT_DATABASE_URL={SHARED}\n")
    assert load(tmp_path).settings.database_url == SHARED
    for name in ("dev", "staging", "prod"):
        environment = load(tmp_path, name)
        assert environment.settings.database_url == ""
        with pytest.raises(UsageError, match=f"DATABASE_URL not set for {name}") as refused:
            find_database_url(environment, project=tmp_path)
        assert f".env.{name}" in refused.value.hint


def test_the_app_of_an_environment_is_known_where_its_database_is_reached_by_a_url_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLY_APP_STAGING=gaia-gateway-staging\n")
    (tmp_path / ".env.staging").write_text(f"DATABASE_URL={OWN}\n")
    environment = load(tmp_path, "staging")
    assert (environment.fly_app, environment.app) == ("", "gaia-gateway-staging")


@pytest.mark.parametrize("name", ["prod", "production", "live"])
def test_the_usual_names_of_production_are_guarded_by_default(tmp_path: Path, name: str) -> None:
    (tmp_path / f".env.{name}").write_text("")
    assert load(tmp_path, name).guarded
    assert not load(tmp_path, "staging").guarded


def test_a_direct_url_of_a_file_does_not_replace_a_url_of_the_process(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(f"DATABASE_URL={OWN}\nDIRECT_DATABASE_URL={OWN}\n")
    assert load(tmp_path, DATABASE_URL=PROCESS).settings.database_url == PROCESS


@pytest.mark.parametrize(
    ("file", "text", "url", "app"),
    [
        (".env.staging", f"DATABASE_URL={OWN}", OWN, ""),
        (".env.staging", f"DIRECT_DATABASE_URL={OWN}", OWN, ""),
        (".env", "FLY_APP_STAGING=gaia-gateway-staging", "", "gaia-gateway-staging"),
        (".env.staging", "FLY_APP_STAGING=gaia-gateway-staging", "", "gaia-gateway-staging"),
        (".env", "FLY_APP_DEV=gaia-gateway-dev", PROCESS, ""),
    ],
    ids=["its URL", "its direct URL", "its app", "its app in its file", "nothing"],
)
def test_a_url_of_the_shell_is_used_only_for_an_environment_without_an_address(
    tmp_path: Path, file: str, text: str, url: str, app: str
) -> None:
    (tmp_path / file).write_text(f"{text}\n")
    environment = load(tmp_path, "staging", DATABASE_URL=PROCESS)
    assert (environment.settings.database_url, environment.fly_app) == (url, app)


def test_an_empty_setting_of_the_process_counts_as_not_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={SHARED}\n")
    assert load(tmp_path, DATABASE_URL="").settings.database_url == SHARED


@pytest.mark.parametrize("password", ["p$ord", "$HOME", "a=b", "a;b", "%40"])
def test_a_value_of_a_file_is_read_literally(tmp_path: Path, password: str) -> None:
    url = f"postgresql://me:{password}@h/db"
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
    assert load(tmp_path).settings.database_url == url


def test_folders_of_a_file_are_relative_to_it_and_those_of_the_process_to_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MIGRATIONS_DIR=sql\n")
    settings = load(tmp_path, SEEDS_DIR="data").settings
    assert (settings.migrations_dir, settings.seeds_dir) == (tmp_path / "sql", Path("data"))
    assert load(tmp_path).settings.seeds_dir == tmp_path / "seeds"


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(f"\ufeffDATABASE_URL={SHARED}\r\n# ü\r\n".encode())
    assert load(tmp_path).settings.database_url == SHARED


def test_all_mistakes_of_both_files_and_of_the_settings_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOCK_TIMEOUT=5\n\nthis is not a setting\nexport OTHER=1\nDATABASE_URL\n")
    (tmp_path / ".env.dev").write_text("LOCK_ATTEMPTS=x\n= s3cret\n")
    lines = refuse(tmp_path, "dev").message.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [".env:3", ".env:5", ".env.dev:2", "LOCK_TIMEOUT=5:", "LOCK_ATTEMPTS=x:"]
    assert "s3cret" not in "".join(lines)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LOCK_TIMEOUT=1s\n# \xfc\n")
    assert refuse(tmp_path).message == ".env:2 is not UTF-8"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    (tmp_path / ".env").touch(0)
    assert refuse(tmp_path).message == ".env cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("name", "meant"),
    [("stagin", "staging"), ("../dev", "dev"), ("", ""), ("Prod", "prod"), ("previw", "preview"), ("example", "")],
)
def test_an_unknown_environment_is_refused_with_the_nearest_and_all_known_ones(tmp_path: Path, name: str, meant: str) -> None:
    (tmp_path / ".env.preview").write_text("")
    (tmp_path / ".env.example").write_text("")
    error = refuse(tmp_path, name)
    shown = "'../dev'" if name == "../dev" else name
    assert error.message == (f"there is no environment {shown}" if name else "the name of an environment is empty")
    question = f"Did you mean {meant}? " if meant else ""
    assert error.hint.startswith(f"{question}Known are local, dev, staging, prod, preview")


@pytest.mark.parametrize("name", ["staging~", "a b", "x;id", "$(id)", "-x", "a\nb", "\u202ea"])
def test_a_file_with_another_ending_is_no_environment(tmp_path: Path, name: str) -> None:
    (tmp_path / f".env.{name}").write_text("")
    assert list_environments(tmp_path) == ("local", "dev", "staging", "prod")
    error = refuse(tmp_path, name)
    assert error.message == f"there is no environment {name!a}"
    assert error.hint.endswith("Known are local, dev, staging, prod; a name has letters, digits, _, . and - only.")


def test_the_settings_of_fly_and_the_actor_are_read_from_all_places(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLY_CALL_TIMEOUT=120\nFLY_FOLLOW_TIMEOUT=1\nFLY_ORG=gaia\nMIGRATE_ACTOR=ada\n")
    (tmp_path / ".env.dev").write_text("FLY_CALL_TIMEOUT=150\nMIGRATE_ACTOR=grace\n")
    environment = load(tmp_path, "dev", FLY_CALL_TIMEOUT="180")
    assert environment.fly_timeouts == replace(DEFAULT_TIMEOUTS, call_s=180, follow_s=1)
    assert (environment.fly_organisation, environment.settings.actor) == ("gaia", "grace")
    assert load(tmp_path).settings.actor == "ada"


def test_names_that_are_not_settings_of_the_environment_are_named_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FLY_APP_STAGING=gaia\nSEED_DIR=x\nFLY_APP_PREVIEW=gaia\n")
    (tmp_path / ".env.dev").write_text("OTHER=1\nFLY_APP_STAGING=gaia\nLOCK_RETRIES=\n")
    assert refuse(tmp_path, "dev").message.splitlines() == [
        ".env:2: SEED_DIR is not a setting; did you mean SEEDS_DIR?",
        ".env.dev:2: FLY_APP_STAGING is not used for dev: set FLY_APP_DEV here, or FLY_APP_STAGING in .env",
        ".env.dev:3: LOCK_RETRIES is not a setting; did you mean LOCK_ATTEMPTS?",
    ]


def test_a_file_of_an_environment_that_is_not_chosen_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / ".env.dev").write_text("LOCK_TIMOUT=1s\n")
    assert load(tmp_path).settings == load(tmp_path, "staging").settings


def test_a_misspelling_in_the_process_is_not_an_error_but_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".env.preview").touch()
    environ = {"FLY_APP_PREVIE": "gaia", "OTHER": "1"}
    assert load_environment("preview", project=tmp_path, environ=environ).fly_app == ""
    (warning,) = list_warnings(tmp_path, environ)
    assert warning.endswith("FLY_APP_PREVIE in the process environment is not a setting; did you mean FLY_APP_PREVIEW?")


def test_a_file_makes_an_environment_known(tmp_path: Path) -> None:
    (tmp_path / ".env.preview").write_text(f"DATABASE_URL={OWN}\n")
    assert list_environments(tmp_path) == ("local", "dev", "staging", "prod", "preview")
    assert load(tmp_path, "preview").settings.database_url == OWN
