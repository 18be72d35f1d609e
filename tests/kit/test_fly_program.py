"""Tests of the stand-in's `fly`: what it prints, and the behaviour of flyctl that the tool has to handle."""

import json
import os
import signal
import socket
import stat
from pathlib import Path

import psycopg
import pytest

from tests.kit.databases import Database
from tests.kit.fly.client import issue_certificate, run_fly, start_proxy
from tests.kit.fly.home import find_traces, make_home
from tests.kit.fly.images import Image
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld, set_trap
from tests.kit.waiting import LIMIT_S, wait_until

APP = "gaia-gateway-staging"
EMPTY = Image(has_app=False)


@pytest.fixture
def machine(fly: FlyWorld) -> FlyMachine:
    return fly.add_app(APP, image=EMPTY)[0]


def list_machines(fly: FlyWorld) -> list[dict[str, object]]:
    machines: list[dict[str, object]] = json.loads(run_fly(fly, "machine", "list", "--json", "-a", APP).stdout)
    return machines


def test_a_list_has_machines_of_every_kind_and_the_status_those_of_services(fly: FlyWorld, machine: FlyMachine) -> None:
    other = fly.add_machine(APP, region="fra", state="suspended", group="worker", image=EMPTY)
    release = fly.add_release_machine(APP)
    assert {item["id"] for item in list_machines(fly)} == {machine.id, other.id, release["id"]}
    status = json.loads(run_fly(fly, "status", "--json", "-a", APP).stdout)
    assert {shown["id"] for shown in status["Machines"]} == {machine.id, other.id}
    assert status["Organization"]["Slug"] == "gaia"


def test_a_machine_is_started(fly: FlyWorld) -> None:
    machine = fly.add_app(APP, state="stopped", image=EMPTY)[0]
    assert run_fly(fly, "machine", "start", machine.id, "-a", APP).stdout == f"{machine.id} has been started\n"
    assert machine.record["state"] == "started"


@pytest.mark.parametrize("command", ["machine list -a APP", "ssh issue gaia /no/id", "proxy 0:22 ADDRESS -a APP"])
def test_every_command_needs_a_token(fly: FlyWorld, machine: FlyMachine, command: str) -> None:
    del fly.env["FLY_ACCESS_TOKEN"]
    message = run_fly(fly, *command.replace("APP", APP).split(), check=1).stderr
    assert message == "Error: no access token available. Please login with 'flyctl auth login'\n"


@pytest.mark.parametrize(
    ("kind", "refused"), [("ssh", ["machine start ID -a APP", "ssh issue gaia PATH"]), ("deploy", ["ssh issue gaia PATH"])]
)
def test_a_token_for_one_app_has_fewer_rights(
    fly: FlyWorld, machine: FlyMachine, tmp_path: Path, kind: str, refused: list[str]
) -> None:
    fly.env["FLY_ACCESS_TOKEN"] = fly.add_token(kind, app=APP)
    assert list_machines(fly)
    for command in refused:
        words = command.replace("ID", machine.id).replace("APP", APP).replace("PATH", str(tmp_path / "id")).split()
        assert "Not authorized" in run_fly(fly, *words, check=1).stderr
    assert not (tmp_path / "id").exists()


def test_a_token_for_one_app_does_not_see_others(fly: FlyWorld, machine: FlyMachine) -> None:
    fly.add_app("gaia-gateway-dev", image=EMPTY)
    fly.env["FLY_ACCESS_TOKEN"] = fly.add_token("deploy", app="gaia-gateway-dev")
    assert "Could not find App" in run_fly(fly, "machine", "list", "-a", APP, check=1).stderr


def test_issue_writes_two_private_files(fly: FlyWorld, tmp_path: Path) -> None:
    key = issue_certificate(fly, tmp_path / "credential")
    certificate = key.with_name("id-cert.pub")
    assert sorted(path.name for path in key.parent.iterdir()) == ["id", "id-cert.pub"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in key.parent.iterdir()} == {0o600}
    assert key.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert certificate.read_text().startswith("ssh-ed25519-cert-v01@openssh.com ")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, None])
def test_a_proxy_ends_on_a_signal_and_at_the_end_of_its_stdin(
    fly: FlyWorld, machine: FlyMachine, end: signal.Signals | None
) -> None:
    with start_proxy(fly, machine) as process:
        assert [(proxy.app, proxy.pid) for proxy in fly.proxies()] == [(APP, process.pid)]
        if end is None:
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(end)
        assert process.wait(LIMIT_S) == 0
    assert fly.proxies() == []


def test_a_proxy_is_ready_even_if_its_machine_is_stopped(fly: FlyWorld, machine: FlyMachine) -> None:
    machine.stop()
    with start_proxy(fly, machine), socket.create_connection(("127.0.0.1", fly.proxies()[0].port)) as client:
        assert client.recv(100) == b""
    assert machine.connections == 0


def test_fly_can_fail_print_garbage_and_warn(fly: FlyWorld, machine: FlyMachine) -> None:
    fly.add_noise()
    fly.garble("machine list")
    fly.fail("ssh issue", "tunnel unavailable")
    with pytest.raises(json.JSONDecodeError):
        list_machines(fly)
    message = run_fly(fly, "ssh", "issue", "gaia", "/no/id", check=1).stderr
    assert "Metrics token unavailable" in message
    assert message.endswith("Error: tunnel unavailable\n")
    fly.clear_faults()
    assert list_machines(fly)


def test_each_call_is_recorded(fly: FlyWorld) -> None:
    run_fly(fly, "auth", "whoami")
    run_fly(fly, "no", "command", check=1)
    assert fly.calls == [["auth", "whoami"], ["no", "command"]]


def test_a_write_in_dot_ssh_is_found(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    assert find_traces(home) == []
    (home / ".ssh" / "known_hosts").write_text("")
    (home / ".ssh" / "new").touch()
    assert find_traces(home) == ["new was added", "known_hosts was written"]


def test_a_read_in_dot_ssh_is_found(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    if os.statvfs(home).f_flag & getattr(os, "ST_NOATIME", 0):
        pytest.skip("this disk does not record when a file is read")
    (home / ".ssh" / "config").read_text()
    assert find_traces(home) == ["config was read"]


def test_the_url_on_a_machine_has_a_password_that_a_shell_would_change(database: Database) -> None:
    url = set_trap(database.url)
    assert "$HOME" in url
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == database.name


def test_no_process_of_a_stand_in_is_left(fly: FlyWorld, machine: FlyMachine) -> None:
    with start_proxy(fly, machine):
        port = machine.ssh_port
        fly.close()
    wait_until(lambda: not fly.proxies(), what="the proxies to end")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
