"""How psql and pg_dump get a connection: by a file that nobody else can read, and that nothing overrides."""

import stat
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tasks.programs.service_file import build_environment, list_parameters, open_service
from tasks.runner.database.addresses import resolve
from tasks.runner.errors import UsageError

_SECRETS = {
    "password": " ge heim1",
    "sslpassword": "ge'heim2#;",
    "scram_client_key": "geheim3=",
    "oauth_client_secret": "geheim4",
}


def test_libpq_finds_each_parameter_and_nobody_else_can_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stated = {"host": "h", "port": "7", "user": "me", "dbname": "d", "options": "-c app.password=geheim5", **_SECRETS}
    with open_service(list_parameters(make_conninfo(**stated))) as variables:
        assert "heim" not in str(variables)
        service = Path(variables["PGSERVICEFILE"])
        assert stat.S_IMODE(service.stat().st_mode) == 0o600
        assert stat.S_IMODE(service.parent.stat().st_mode) == 0o700
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PGHOST", "elsewhere")
        found = resolve("").options
        assert {name: found[name] for name in stated} == stated
    assert not service.parent.exists()


@pytest.mark.parametrize("password", ["ends with a blank ", "x" * 3000, r"back\slash:colon "])
def test_a_password_that_a_service_file_cannot_contain_is_in_a_password_file(
    password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_service({"host": "h", "user": "u", "dbname": "d", "password": password}) as variables:
        folder = Path(variables["PGSERVICEFILE"]).parent
        assert stat.S_IMODE((folder / "pgpass").stat().st_mode) == 0o600
        line = (folder / "pgpass").read_text()
        assert line == "*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n"
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert resolve("").options["passfile"] == str(folder / "pgpass")


def test_a_secret_that_no_file_can_contain_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="sslpassword") as caught, open_service({"host": "h", "sslpassword": "ge\nheim"}):
        pass
    assert "heim" not in str(caught.value) + caught.value.hint


def test_the_environment_of_the_user_leads_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPASSWORD", "PGSERVICE", "PGCLUSTER", "PGOPTIONS", "PGTZ", "PSQLRC"):
        monkeypatch.setenv(name, "mine")
    built = build_environment({"PGSERVICE": "ours", "PGSERVICEFILE": "/f"}, terminal=True)
    kept = {name: value for name, value in built.items() if name.startswith("PG") or name == "PSQLRC"}
    assert kept == {"PGSERVICE": "ours", "PGSERVICEFILE": "/f", "PGTZ": "mine", "PSQLRC": "mine"}
