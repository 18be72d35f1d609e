"""What `inv env.check` finds of an environment on Fly: each missing piece by its name, in the order of the way there."""

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
from tests.fly.operating import STAGING, Far, work_far
from tests.kit.databases import Database
from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project
from tests.runner.operating import A

NEAR = ["flyctl", "token", "app", "machine", "ssh"]
IMAGE = ["folder", "Python", "packages", "tool", "DATABASE_URL"]
DATABASE = ["database", "server version", "pooler", "privileges", "writable", "extensions", "ledger"]


@pytest.fixture
def far(fly: FlyWorld, project: Project, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """Give an engineer whose variables are those of this process too."""
    with work_far(fly, project, database) as far:
        for name in [name for name in os.environ if name.startswith("FLY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setattr(tempfile, "tempdir", str(far.keys))
        yield far


def check(far: Far, monkeypatch: pytest.MonkeyPatch, *, start: bool = False) -> list[CheckMade]:
    """Check staging in this process."""
    for name, value in far.env.items():
        monkeypatch.setenv(name, value)
    return list(check_environment(far.load(), Stop(), start=start))


def name_all(checks: list[CheckMade]) -> list[str]:
    return [check.name for check in checks]


def test_what_has_everything_passes_from_end_to_end(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = far.deploy()
    checks = check(far, monkeypatch)
    assert name_all(checks) == [*NEAR, *IMAGE, *DATABASE]
    assert [check for check in checks if not check.passed] == []
    found = {check.name: check.found for check in checks}
    assert found["app"] == f"{STAGING}, with 1 machine"
    assert found["machine"] == f"{machine.id} in ams is started"
    assert found["folder"] == str(machine.app)
    assert found["packages"].startswith("psycopg 3.")
    assert found["DATABASE_URL"] == "DATABASE_URL is set on the machine"


def lack_flyctl(far: Far) -> None:
    far.variables["PATH"] = os.defpath


def lack_token(far: Far) -> None:
    far.variables["FLY_ACCESS_TOKEN"] = ""


def lack_right(far: Far) -> None:
    far.variables["FLY_ACCESS_TOKEN"] = far.fly.add_token("readonly")


def lack_app(far: Far) -> None:
    far.variables["FLY_APP_STAGING"] = "gaia-gateway-stagnig"


def lack_machines(far: Far) -> None:
    far.fly.add_app(STAGING, machines=0)


def fall_silent(far: Far) -> None:
    far.variables["FLY_CONNECT_TIMEOUT"] = "1"
    far.machine.fall_silent()


@pytest.mark.parametrize(
    ("break_it", "passed", "found", "hint"),
    [
        (lack_flyctl, 0, "flyctl is not installed", "https://fly.io/docs/flyctl/install/"),
        (lack_token, 1, "no access token available", "fly auth login"),
        (lack_app, 2, 'Could not find App "gaia-gateway-stagnig"', "FLY_APP_"),
        (lack_machines, 3, f"the app {STAGING} has no machines", "fly deploy"),
        (lambda far: far.machine.change_record(state="stopped"), 3, "has no started machine", "--start"),
        (lack_right, 4, "Not authorized", "fly tokens create org"),
        (lambda far: far.fly.limit_certificates(-60), 4, "refuses the certificate", "expired"),
        (fall_silent, 4, "no ssh connection to machine", "fly machine status"),
    ],
)
def test_what_is_missing_on_the_way_is_the_last_word(
    far: Far,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Far], object],
    passed: int,
    found: str,
    hint: str,
) -> None:
    far.deploy()
    break_it(far)
    *before, last = check(far, monkeypatch)
    assert [check.passed for check in before] == [True] * passed
    assert name_all([*before, last]) == NEAR[: passed + 1]
    assert not last.passed
    assert found in last.found
    assert hint in last.hint
    assert "FlyV1" not in f"{last.found} {last.hint}"


def test_a_machine_is_started_where_that_is_asked_for(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    far.deploy(state="stopped")
    checks = check(far, monkeypatch, start=True)
    assert [check for check in checks if not check.passed] == []


@pytest.mark.parametrize(
    ("image", "faults"),
    [
        (Image(has_app=False), {"folder": "the image has no folder /app"}),
        (Image(has_python=False), {"Python": "none on the PATH"}),
        (Image(packages=()), {"packages": "missing: psycopg (No module named 'psycopg'), pglast (No module named 'pglast')"}),
    ],
)
def test_what_the_image_lacks_is_named(far: Far, monkeypatch: pytest.MonkeyPatch, image: Image, faults: dict[str, str]) -> None:
    machine = far.deploy(image=image)
    machine.change_environment(PATH=f"{machine.folder.disk / 'bin'}")
    checks = check(far, monkeypatch)
    assert {check.name: check.found for check in checks if not check.passed} == faults
    assert not set(name_all(checks)) & set(DATABASE)


def test_all_that_the_image_and_the_machine_lack_is_named_at_once(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = far.deploy()
    shutil.rmtree(machine.app / "tasks")
    machine.change_environment(DATABASE_URL=None)
    checks = check(far, monkeypatch)
    assert name_all(checks) == [*NEAR, *IMAGE]
    faults = {check.name: check for check in checks if not check.passed}
    assert list(faults) == ["tool", "DATABASE_URL"]
    assert "COPY tasks" in faults["tool"].hint
    assert f"fly secrets set DATABASE_URL=… -a {STAGING}" in faults["DATABASE_URL"].hint


def test_an_older_tool_in_the_image_is_recognised(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    far.deploy().edit("tasks/console/script.py", 'add("probe"', 'add("problem"')
    last = check(far, monkeypatch)[-1]
    assert (last.name, last.passed) == ("runner", False)
    assert "older version of this tool" in last.found
    assert "Deploy first" in last.hint


def test_a_database_that_the_machine_does_not_reach_is_told_in_its_words(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    far.deploy().change_environment(DATABASE_URL="postgresql://me:s3cret@127.0.0.1:1/db")
    checks = check(far, monkeypatch)
    assert name_all(checks) == [*NEAR, *IMAGE, "database"]
    assert "cannot connect to me@127.0.0.1:1/db" in checks[-1].found
    assert "s3cret" not in str(checks)


def test_the_database_of_another_environment_is_found_from_there(far: Far) -> None:
    far.operator.write_tables(A)
    far.operator.migrate(environment="prod")
    far.deploy()
    result = far.inv("env.check", "--env=staging", "--json", check=4)
    event = from_json(result.stdout)
    assert isinstance(event, ProbeRead)
    assert [check.name for check in event.checks if not check.passed] == ["ledger"]
    assert "belongs to prod" in event.checks[-1].found
    assert result.stderr == ""


@pytest.mark.parametrize(("version", "fits"), [("3.9.18", False), ("3.10.0", False), ("3.11.0", True), ("3.13.1", True)])
def test_a_python_that_is_too_old_is_refused(tmp_path: Path, version: str, fits: bool) -> None:
    environment = load_environment("staging", project=tmp_path, environ={"FLY_APP_STAGING": STAGING})
    known = {"folder": "/app", "python": version, "psycopg": "3.3", "pglast": "8", "DATABASE_URL": ""}
    checks = {check.name: check for check in check_image(known, environment)}
    assert (checks["Python"].passed, checks["Python"].found) == (fits, version)
    assert ("3.11" in checks["Python"].hint) is not fits
