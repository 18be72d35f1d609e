"""What a program of PostgreSQL gets of a URL, and where."""

import stat
from pathlib import Path

import pytest

from tasks.rehearsal.scratch.program_secrets import pass_secrets
from tasks.runner.database.addresses import resolve
from tasks.runner.errors import UsageError

_SECRETS = {"password": "ge heim1", "sslpassword": "ge'heim2#;", "scram_client_key": "geheim3=", "oauth_client_secret": "geheim4"}


def test_no_secret_is_in_the_arguments_and_libpq_still_finds_each(monkeypatch: pytest.MonkeyPatch) -> None:
    url = " ".join(f"{name}='{value.replace(chr(39), chr(92) + chr(39))}'" for name, value in _SECRETS.items())
    with pass_secrets(f"host=h user=me options='-c app.password=geheim5' {url}") as (conninfo, variables):
        assert "heim" not in conninfo
        service = Path(variables["PGSERVICEFILE"])
        assert stat.S_IMODE(service.stat().st_mode) == 0o600
        assert stat.S_IMODE(service.parent.stat().st_mode) == 0o700
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = resolve(conninfo).options
        assert {name: found[name] for name in _SECRETS} == _SECRETS
        assert found["options"] == "-c app.password=geheim5"
    assert not service.parent.exists()


def test_a_url_without_such_parameters_needs_no_file() -> None:
    with pass_secrets("host=h user=me password=geheim") as (conninfo, variables):
        assert "geheim" not in conninfo
        assert variables == {"PGPASSWORD": "geheim"}


def test_a_secret_that_a_service_file_cannot_contain_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="sslpassword") as caught, pass_secrets("host=h sslpassword='ge\nheim'"):
        pass
    assert "heim" not in str(caught.value)
