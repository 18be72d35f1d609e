"""`inv env.check` for an environment on Fly: local checks first, then the machine, then the database."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasks.checks.environment import check_environment
from tasks.checks.image import check_image
from tasks.config.environments import load_environment
from tasks.runner.events import CheckMade, ProbeRead, from_json
from tasks.runner.signals import Stop
from tests.fly.operating import STAGING, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A

LOCAL_CHECKS = ["flyctl", "token", "app", "machine", "ssh"]
IMAGE_CHECKS = ["folder", "Python", "packages", "tool", "DATABASE_URL"]
DATABASE_CHECKS = ["database", "server version", "pooler", "privileges", "writable", "extensions", "runner", "ledger"]


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteOperator]:
    """Yield an operator whose environment variables are also those of this process."""
    with operate_remotely(fly, project, database) as remote:
        for name in [name for name in os.environ if name.startswith("FLY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(tempfile, "tempdir", str(remote.keys))
        yield remote


def check(remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch, *, start: bool = False) -> list[CheckMade]:
    """Check staging in this process."""
    for name, value in remote.env.items():
        monkeypatch.setenv(name, value)
    return list(check_environment(remote.load(), Stop(), start=start))


def list_names(checks: list[CheckMade]) -> list[str]:
    return [check.name for check in checks]


def test_a_complete_environment_passes_all_checks(remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = remote.deploy()
    checks = check(remote, monkeypatch)
    assert list_names(checks) == [*LOCAL_CHECKS, *IMAGE_CHECKS, *DATABASE_CHECKS]
    assert [check for check in checks if not check.passed] == []
    found = {check.name: check.found for check in checks}
    assert found["app"] == f"{STAGING}, with 1 machine"
    assert found["machine"] == f"{machine.id} in ams is started"
    assert found["folder"] == str(machine.app)
    assert found["packages"].startswith("psycopg 3.")
    assert found["DATABASE_URL"] == "DATABASE_URL is set on the machine"


def remove_flyctl(remote: RemoteOperator) -> None:
    remote.variables["PATH"] = os.defpath


def remove_token(remote: RemoteOperator) -> None:
    remote.variables["FLY_ACCESS_TOKEN"] = ""


def use_readonly_token(remote: RemoteOperator) -> None:
    remote.variables["FLY_ACCESS_TOKEN"] = remote.fly.add_token("readonly")


def misspell_app(remote: RemoteOperator) -> None:
    remote.variables["FLY_APP_STAGING"] = "gaia-gateway-stagnig"


def remove_machines(remote: RemoteOperator) -> None:
    remote.fly.add_app(STAGING, machines=0)


def fall_silent(remote: RemoteOperator) -> None:
    remote.variables["FLY_CONNECT_TIMEOUT"] = "1"
    remote.machine.fall_silent()


@pytest.mark.parametrize(
    ("break_it", "passed", "found", "hint"),
    [
        (remove_flyctl, 0, "flyctl is not installed", "https://fly.io/docs/flyctl/install/"),
        (remove_token, 1, "no access token available", "fly auth login"),
        (misspell_app, 2, 'Could not find App "gaia-gateway-stagnig"', "FLY_APP_"),
        (remove_machines, 3, f"the app {STAGING} has no machines", "fly deploy"),
        (lambda remote: remote.machine.change_record(state="stopped"), 3, "has no started machine", "--start"),
        (use_readonly_token, 4, "Not authorized", "fly tokens create org"),
        (lambda remote: remote.fly.limit_certificates(-60), 4, "refuses the certificate", "expired"),
        (fall_silent, 4, "no ssh connection to machine", "fly machine status"),
    ],
)
def test_the_check_stops_at_the_first_failure_on_the_way_to_the_machine(
    remote: RemoteOperator,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[RemoteOperator], object],
    passed: int,
    found: str,
    hint: str,
) -> None:
    remote.deploy()
    break_it(remote)
    *before, last = check(remote, monkeypatch)
    assert [check.passed for check in before] == [True] * passed
    assert list_names([*before, last]) == LOCAL_CHECKS[: passed + 1]
    assert not last.passed
    assert found in last.found
    assert hint in last.hint
    assert "FlyV1" not in f"{last.found} {last.hint}"


def test_the_check_starts_a_stopped_machine_on_request(remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.deploy(state="stopped")
    checks = check(remote, monkeypatch, start=True)
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize(
    ("image", "faults"),
    [
        (Image(has_app=False), {"folder": "the image has no folder /app"}),
        (Image(has_python=False), {"Python": "none on the PATH"}),
        (Image(packages=()), {"packages": "missing: psycopg (No module named 'psycopg'), pglast (No module named 'pglast')"}),
    ],
)
def test_each_missing_part_of_the_image_is_named(
    remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch, image: Image, faults: dict[str, str]
) -> None:
    machine = remote.deploy(image=image)
    machine.change_environment(PATH=f"{machine.folder.disk / 'bin'}")
    checks = check(remote, monkeypatch)
    assert {check.name: check.found for check in checks if not check.passed} == faults
    assert not set(list_names(checks)) & set(DATABASE_CHECKS)


def test_all_missing_parts_of_the_image_and_the_machine_are_named_at_once(
    remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = remote.deploy()
    shutil.rmtree(machine.app / "tasks")
    machine.change_environment(DATABASE_URL=None)
    checks = check(remote, monkeypatch)
    assert list_names(checks) == [*LOCAL_CHECKS, *IMAGE_CHECKS]
    faults = {check.name: check for check in checks if not check.passed}
    assert list(faults) == ["tool", "DATABASE_URL"]
    assert "COPY tasks" in faults["tool"].hint
    assert f"fly secrets set DATABASE_URL=… -a {STAGING}" in faults["DATABASE_URL"].hint


def test_an_older_version_of_the_tool_in_the_image_is_recognised(remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.deploy().edit("tasks/console/script.py", 'add("probe"', 'add("problem"')
    last = check(remote, monkeypatch)[-1]
    assert (last.name, last.passed) == ("runner", False)
    assert "older version of this tool" in last.found
    assert "Deploy first" in last.hint


def test_a_database_that_the_machine_cannot_reach_is_reported_with_the_error(
    remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.deploy().change_environment(DATABASE_URL="postgresql://me:s3cret@127.0.0.1:1/db")
    checks = check(remote, monkeypatch)
    assert list_names(checks) == [*LOCAL_CHECKS, *IMAGE_CHECKS, "database"]
    assert "cannot connect to me@127.0.0.1:1/db" in checks[-1].found
    assert "s3cret" not in str(checks)


def test_the_check_on_the_machine_detects_the_database_of_another_environment(remote: RemoteOperator) -> None:
    remote.operator.write_tables(A)
    remote.operator.migrate(environment="prod")
    remote.deploy()
    result = remote.inv("env.check", "--env=staging", "--json", check=4)
    event = from_json(result.stdout)
    assert isinstance(event, ProbeRead)
    assert [check.name for check in event.checks if not check.passed] == ["ledger"]
    assert "belongs to prod" in event.checks[-1].found
    assert result.stderr == ""


@pytest.mark.parametrize(("version", "fits"), [("3.9.18", False), ("3.10.0", False), ("3.11.0", True), ("3.13.1", True)])
def test_a_python_that_is_too_old_is_refused(tmp_path: Path, version: str, fits: bool) -> None:
    environment = load_environment("staging", project=tmp_path, environ={"FLY_APP_STAGING": STAGING})
    probe = {"folder": "/app", "python": version, "psycopg": "3.3", "pglast": "8", "DATABASE_URL": ""}
    checks = {check.name: check for check in check_image(probe, environment)}
    assert (checks["Python"].passed, checks["Python"].found) == (fits, version)
    assert ("3.11" in checks["Python"].hint) is not fits
