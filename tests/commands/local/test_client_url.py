"""The URL that db.url prints: psql, a GUI and SQLAlchemy read it as libpq reads the setting."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from tasks.commands.local.client_url import compose_client_url
from tests.kit.projects import Project

STRANGE = "p @:/%#?&'=\\ö"


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT", "PGDATABASE", "PGSERVICE", "PGHOSTADDR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("postgresql://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
        ("postgres://u:p@h/d", "postgresql://u:p@h:5432/d"),
        ("postgresql://u:p#s%40s?x@h/d", "postgresql://u:p%23s%40s%3Fx@h:5432/d"),
        ("host=h user=u password='a b' dbname=d sslmode=require", "postgresql://u:a%20b@h:5432/d?sslmode=require"),
        ("postgresql://u@[::1]:6/d", "postgresql://u@[::1]:6/d"),
        ("postgresql://u@a,b:6/d", "postgresql://u@a:5432,b:6/d"),
        ("postgresql://u@/d?host=/tmp/x", "postgresql://u@/d?host=%2Ftmp%2Fx&port=5432"),
        ("postgresql://u@h/d?options=-csearch_path%3Dx", "postgresql://u@h:5432/d?options=-csearch_path%3Dx"),
    ],
)
def test_every_part_is_written_and_quoted(setting: str, url: str) -> None:
    assert compose_client_url(setting) == url
    assert compose_client_url(url) == url


def test_any_password_is_read_back_unchanged() -> None:
    escaped = STRANGE.replace("\\", r"\\").replace("'", r"\'")
    url = compose_client_url(f"host=h user='a b' password='{escaped}' dbname='x/y'")
    assert conninfo_to_dict(url) == {"host": "h", "port": "5432", "user": "a b", "password": STRANGE, "dbname": "x/y"}


def test_a_service_and_variables_are_filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text("[mine]\nhost=h\nport=7\nuser=u\ndbname=d\nsslmode=require\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    monkeypatch.setenv("PGPASSWORD", "from the shell")
    assert compose_client_url("service=mine") == "postgresql://u:from%20the%20shell@h:7/d?sslmode=require"


def test_db_url_prints_the_url_of_an_environment_and_nothing_else(project: Project) -> None:
    result = project.at("host=h user=u password='p w' dbname=d").inv("db.url", check=0)
    assert (result.stdout, result.stderr) == ("postgresql://u:p%20w@h:5432/d\n", "")


def test_db_url_refuses_a_fly_app_and_names_db_psql(project: Project) -> None:
    result = project.inv("db.url", "--env=staging", env={"FLY_APP_STAGING": "gaia-staging", "DATABASE_URL": ""}, check=3)
    assert result.stdout == ""
    assert "inv db.psql --env=staging" in result.stderr
