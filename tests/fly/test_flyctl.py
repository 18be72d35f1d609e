"""What `fly` refuses, prints and delays: it is reported without tokens, and nothing is changed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.fly import flyctl, proxy
from tasks.fly.child_process import Output, read_output
from tasks.fly.flyctl import hide_tokens
from tasks.runner.events import RunStarted
from tests.fly.operating import STAGING, RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.boot import PYTHON
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.projects import Project
from tests.runner.operating import A


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A)
        yield remote
        assert remote.operator.read_tables() in ([], ["a"])


def assert_refused(remote: RemoteOperator, *words: str) -> None:
    result = remote.run_request()
    for word in words:
        assert word in result.describe()
    assert "Nothing was changed." in result.describe()
    assert remote.operator.read_tables() == []
    assert remote.fly.env["FLY_ACCESS_TOKEN"] not in result.describe()


def test_without_flyctl_the_error_links_to_its_installation(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.variables["PATH"] = "/usr/bin:/bin"
    assert_refused(remote, "flyctl is not installed", "https://fly.io/docs/flyctl/install/")


def test_without_a_token_the_error_explains_how_to_log_in(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.variables["FLY_ACCESS_TOKEN"] = ""
    assert_refused(remote, "no access token available", "fly auth login", "FLY_API_TOKEN")


def test_an_unknown_token_is_refused(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.variables["FLY_ACCESS_TOKEN"] = "FlyV1 fm2_gone"
    assert_refused(remote, "You must be authenticated", "Fly does not accept this token")


@pytest.mark.parametrize("kind", ["deploy", "ssh", "readonly"])
def test_a_token_that_may_not_issue_certificates_is_reported(remote: RemoteOperator, kind: str) -> None:
    remote.deploy()
    remote.variables["FLY_ACCESS_TOKEN"] = remote.fly.add_token(kind, app="" if kind == "readonly" else STAGING)
    assert_refused(remote, "fly ssh issue: Not authorized", "fly tokens create org")


def test_with_a_token_of_another_app_the_app_is_not_found(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.variables["FLY_ACCESS_TOKEN"] = remote.fly.add_token("deploy", app="another")
    assert_refused(remote, f'Could not find App "{STAGING}"', "FLY_APP_<ENVIRONMENT>")


def test_an_app_without_machines_is_reported_with_a_hint_to_deploy(remote: RemoteOperator) -> None:
    remote.fly.add_app(STAGING, machines=0)
    remote.fly.add_release_machine(STAGING)
    assert_refused(remote, f"the app {STAGING} has no machines", f"fly deploy -a {STAGING}")


def test_machines_that_are_stopped_are_listed(remote: RemoteOperator) -> None:
    machine = remote.deploy(state="stopped")
    assert_refused(remote, f"{machine.id} (stopped)", "--start")


def test_with_start_a_stopped_machine_is_started(remote: RemoteOperator) -> None:
    remote.deploy(state="stopped").refuse(2)
    assert remote.run_request(start=True).error is None
    assert remote.machine.record["state"] == "started"
    assert remote.operator.read_tables() == ["a"]


def test_refused_ssh_connections_are_reported_without_the_log_of_paramiko(remote: RemoteOperator) -> None:
    remote.deploy().refuse(1000)
    remote.variables["FLY_CONNECT_TIMEOUT"] = "2"
    result = remote.operator.project.inv("db.migrate", "--env=staging", env=remote.env, check=1)
    assert "no ssh connection to machine" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) < 10


def test_with_start_no_machine_is_started_if_one_is_running(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.fly.add_machine(STAGING, state="stopped")
    assert remote.run_request(start=True).error is None
    assert ["machine", "start"] not in [call[:2] for call in remote.fly.calls]


def test_a_token_that_may_not_start_machines_is_reported(remote: RemoteOperator) -> None:
    remote.deploy(state="stopped")
    remote.variables["FLY_ACCESS_TOKEN"] = remote.fly.add_token("readonly")
    result = remote.run_request(start=True)
    assert "fly machine start: Not authorized" in result.describe()


@pytest.mark.parametrize("command", ["machine list", "proxy"])
def test_a_call_of_fly_that_hangs_times_out(remote: RemoteOperator, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    remote.deploy()
    remote.fly.hang(command)
    remote.variables["FLY_CALL_TIMEOUT"] = "60"

    def read(process: "subprocess.Popen[bytes]", timeout_s: float, *more: Any) -> Output:
        """Read the output with a short limit only where the program hangs: the other calls may take long on a slow machine."""
        assert isinstance(process.args, list)
        hangs = " ".join(process.args[1:]).startswith(command)
        return read_output(process, timeout_s / 100 if hangs else timeout_s, *more)

    for module in (flyctl, proxy):
        monkeypatch.setattr(module, "read_output", read)
    assert_refused(remote, f"fly {command}", "within 60 s", "FLY_CALL_TIMEOUT")


@pytest.mark.parametrize("command", ["machine list", "status"])
def test_output_that_is_not_json_is_an_error(remote: RemoteOperator, command: str) -> None:
    remote.deploy()
    remote.fly.garble(command)
    assert_refused(remote, f"fly {command}", "printed no JSON", "status.flyio.net")


def test_a_missing_certificate_is_an_error(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.fly.garble("ssh issue")
    assert_refused(remote, "fly ssh issue wrote no id and no id-cert.pub")


def test_noise_on_stderr_is_ignored(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.fly.add_noise()
    assert remote.run_request().error is None


@pytest.mark.parametrize("command", ["machine list", "ssh issue", "proxy"])
def test_tokens_are_never_shown(remote: RemoteOperator, command: str) -> None:
    remote.deploy()
    token = remote.fly.env["FLY_ACCESS_TOKEN"]
    remote.fly.fail(command, f"the token {token} is of no use\nUsage: fly {command}")
    result = remote.inv("db.migrate", "--env=staging", check=1)
    assert "the token *** is of no use" in result.stderr
    assert token.split()[-1] not in result.stdout + result.stderr


def test_a_token_of_any_form_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLY_API_TOKEN", "letmein-letmein")
    assert hide_tokens("a letmein-letmein b FlyV1 fm2_lJPE/+=,fm2_x c fo1_abc-d") == "a *** b *** c ***"


def test_a_configured_organisation_is_not_looked_up(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.variables["FLY_ORG"] = "gaia"
    assert remote.run_request().error is None
    assert "status" not in [call[0] for call in remote.fly.calls]


def test_a_machine_that_refuses_the_certificate_is_reported(remote: RemoteOperator) -> None:
    remote.deploy()
    remote.fly.limit_certificates(-10)
    assert_refused(remote, f"machine {remote.machine.id} of {STAGING} refuses the certificate", f"fly ssh console -a {STAGING}")


def test_connecting_is_retried_until_ssh_is_available(remote: RemoteOperator) -> None:
    remote.deploy().refuse(3)
    assert remote.run_request().error is None
    assert remote.machine.connections == 4


def test_a_connection_that_is_lost_at_the_login_is_opened_again(project: Project, database: Database, tmp_path: Path) -> None:
    with make_world(tmp_path / "fly", PYTHON) as fly, operate_remotely(fly, project, database) as remote:
        remote.operator.write_tables(A)
        remote.deploy().lose_logins(2)
        assert remote.run_request().error is None
        assert remote.machine.connections == 3


@pytest.mark.parametrize("fault", ["refuse", "silence"])
def test_connecting_times_out_if_ssh_does_not_become_available(remote: RemoteOperator, fault: str) -> None:
    machine = remote.deploy()
    machine.refuse(1000) if fault == "refuse" else machine.fall_silent()
    remote.variables["FLY_CONNECT_TIMEOUT"] = "1"
    assert_refused(remote, f"no ssh connection to machine {machine.id}", f"fly machine status {machine.id}")


def test_a_changed_host_key_is_accepted(remote: RemoteOperator) -> None:
    remote.deploy()
    assert remote.run_request().error is None
    remote.machine.change_host_key()
    assert remote.run_request().error is None


def test_keys_are_readable_only_by_their_owner(remote: RemoteOperator) -> None:
    modes: dict[str, int] = {}

    def record_modes() -> None:
        modes.update({path.name: path.stat().st_mode & 0o777 for path in remote.keys.rglob("*")})

    remote.deploy()
    remote.run_request(callbacks={RunStarted: record_modes})
    assert modes.pop("id") == modes.pop("id-cert.pub") == 0o600
    assert sorted(modes.values()) == [0o600, 0o700], "the lock and the folder"
