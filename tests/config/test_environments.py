"""Environments: what is read from where, and what is wrong with it."""

import os
from pathlib import Path

import pytest

from tasks.config.environments import Environment, find_database_url, list_environments, load_environment
from tasks.runner.errors import UsageError

NEAR = "postgresql://near/db"
OWN = "postgresql://own/db"
SHARED = "postgresql://shared/db"


def load(project: Path, name: str = "local", **environ: str) -> Environment:
    return load_environment(name, project=project, environ=environ)


def refuse(project: Path, name: str = "local", **environ: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        load(project, name, **environ)
    assert refused.value.state == "Nothing was changed."
    return refused.value


def test_the_process_counts_before_the_own_file_and_that_before_the_shared_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={SHARED}\nLOCK_TIMEOUT=1s\nLOCK_ATTEMPTS=1\n")
    (tmp_path / ".env.local").write_text(f"DATABASE_URL={OWN}\nLOCK_TIMEOUT=2s\n")
    settings = load(tmp_path, DATABASE_URL=NEAR).settings
    assert (settings.database_url, settings.policy.lock_timeout_ms, settings.policy.attempts) == (NEAR, 2000, 1)
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


def test_a_nearer_url_is_not_overruled_by_a_farther_direct_one(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_text(f"DATABASE_URL={OWN}\nDIRECT_DATABASE_URL={OWN}\n")
    assert load(tmp_path, DATABASE_URL=NEAR).settings.database_url == NEAR


@pytest.mark.parametrize(
    ("file", "text", "url", "app"),
    [
        (".env.staging", f"DATABASE_URL={OWN}", OWN, ""),
        (".env.staging", f"DIRECT_DATABASE_URL={OWN}", OWN, ""),
        (".env", "FLY_APP_STAGING=gaia-gateway-staging", "", "gaia-gateway-staging"),
        (".env.staging", "FLY_APP_STAGING=gaia-gateway-staging", "", "gaia-gateway-staging"),
        (".env", "FLY_APP_DEV=gaia-gateway-dev", NEAR, ""),
    ],
    ids=["its URL", "its direct URL", "its app", "its app in its file", "nothing"],
)
def test_a_url_of_the_shell_counts_only_for_an_environment_without_an_address(
    tmp_path: Path, file: str, text: str, url: str, app: str
) -> None:
    (tmp_path / file).write_text(f"{text}\n")
    environment = load(tmp_path, "staging", DATABASE_URL=NEAR)
    assert (environment.settings.database_url, environment.fly_app) == (url, app)


def test_an_empty_setting_of_the_process_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={SHARED}\n")
    assert load(tmp_path, DATABASE_URL="").settings.database_url == SHARED


@pytest.mark.parametrize("password", ["p$ord", "$HOME", "a=b", "a;b", "%40"])
def test_a_value_of_a_file_is_taken_as_it_stands(tmp_path: Path, password: str) -> None:
    url = f"postgresql://me:{password}@h/db"
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\n")
    assert load(tmp_path).settings.database_url == url


def test_folders_of_a_file_stand_beside_it_and_of_the_process_where_it_works(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MIGRATIONS_DIR=sql\n")
    settings = load(tmp_path, SEEDS_DIR="data").settings
    assert (settings.migrations_dir, settings.seeds_dir) == (tmp_path / "sql", Path("data"))
    assert load(tmp_path).settings.seeds_dir == tmp_path / "seeds"


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(f"\ufeffDATABASE_URL={SHARED}\r\n# ü\r\n".encode())
    assert load(tmp_path).settings.database_url == SHARED


def test_all_mistakes_of_both_files_and_of_the_settings_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOCK_TIMEOUT=5\n\nthis is no setting\nexport OTHER=1\nDATABASE_URL\n")
    (tmp_path / ".env.dev").write_text("LOCK_ATTEMPTS=x\n= geheim\n")
    lines = refuse(tmp_path, "dev").message.splitlines()
    assert [line.partition(" ")[0] for line in lines] == [".env:3", ".env:5", ".env.dev:2", "LOCK_TIMEOUT=5:", "LOCK_ATTEMPTS=x:"]
    assert "geheim" not in "".join(lines)


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LOCK_TIMEOUT=1s\n# \xfc\n")
    assert refuse(tmp_path).message == ".env:2 is not UTF-8"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read every file")
    (tmp_path / ".env").touch(0)
    assert refuse(tmp_path).message == ".env cannot be read: Permission denied"


@pytest.mark.parametrize("name", ["stagin", "../dev", "", "Prod", "example"])
def test_an_unknown_environment_is_refused_with_those_that_are_known(tmp_path: Path, name: str) -> None:
    (tmp_path / ".env.preview").write_text("")
    (tmp_path / ".env.example").write_text("")
    error = refuse(tmp_path, name)
    assert error.message == f"there is no environment {name}"
    assert error.hint.startswith("Known are local, dev, staging, prod, preview;")


def test_a_file_makes_an_environment_known(tmp_path: Path) -> None:
    (tmp_path / ".env.preview").write_text(f"DATABASE_URL={OWN}\n")
    assert list_environments(tmp_path) == ("local", "dev", "staging", "prod", "preview")
    assert load(tmp_path, "preview").settings.database_url == OWN
