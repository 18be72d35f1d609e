"""Tests of the stand-in's `fly`: what a program reads from it, and each trap of flyctl."""

import json
import os
import shlex
import signal
import socket
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.kit.databases import Database
from tests.kit.fly.client import TIMEOUT_S, issue_certificate, run_fly, start_fly, start_proxy
from tests.kit.fly.home import find_traces, make_home
from tests.kit.fly.images import Image
from tests.kit.fly.machines import Machine
from tests.kit.fly.world import FlyWorld, set_trap
from tests.kit.waiting import wait_until

APP = "gaia-gateway-staging"
EMPTY = Image(has_app=False)


@pytest.fixture
def machine(fly: FlyWorld) -> Machine:
    return fly.add_app(APP, image=EMPTY)[0]


def list_machines(fly: FlyWorld) -> list[dict[str, object]]:
    machines: list[dict[str, object]] = json.loads(run_fly(fly, "machine", "list", "--json", "-a", APP).stdout)
    return machines


def test_a_list_shows_machines_in_every_state_and_place(fly: FlyWorld) -> None:
    fly.add_app(APP, machines=8, image=EMPTY)
    fly.add_machine(APP, region="fra", release=3, image=EMPTY)
    fly.add_machine(APP, region="iad", state="suspended", group="worker", image=EMPTY)
    listed = list_machines(fly)
    assert len(listed) == 10
    assert {(machine["region"], machine["state"]) for machine in listed} == {
        ("ams", "started"),
        ("fra", "started"),
        ("iad", "suspended"),
    }


def test_a_list_shows_machines_that_nobody_can_use(fly: FlyWorld, machine: Machine) -> None:
    release = fly.add_release_machine(APP)
    unreachable = fly.add_unreachable_machine(APP)
    listed = {item["id"]: item for item in list_machines(fly)}
    assert listed.keys() == {machine.id, release["id"], unreachable["id"]}
    assert listed[unreachable["id"]]["config"] is None
    assert [shown["id"] for shown in json.loads(run_fly(fly, "status", "--json", "-a", APP).stdout)["Machines"]] != []


def test_a_list_of_an_app_without_machines_is_empty(fly: FlyWorld) -> None:
    fly.add_app(APP, machines=0)
    assert list_machines(fly) == []


def test_a_started_machine_says_so_at_once(fly: FlyWorld) -> None:
    machine = fly.add_app(APP, state="stopped", image=EMPTY)[0]
    assert run_fly(fly, "machine", "start", machine.id, "-a", APP).stdout == f"{machine.id} has been started\n"
    assert machine.record["state"] == "started"


def test_an_apps_organization_is_in_its_status(fly: FlyWorld, machine: Machine) -> None:
    assert json.loads(run_fly(fly, "status", "--json", "-a", APP).stdout)["Organization"]["Slug"] == "gaia"
    assert json.loads(run_fly(fly, "apps", "list", "--json").stdout)[0]["Organization"]["Slug"] == "gaia"
    assert json.loads(run_fly(fly, "orgs", "list", "--json").stdout) == {"gaia": "Gaia"}


@pytest.mark.parametrize("command", [["machine", "list"], ["ssh", "issue", "gaia", "/no/id"], ["proxy", "0:22"]])
def test_without_a_token_nothing_works(fly: FlyWorld, machine: Machine, command: list[str]) -> None:
    del fly.env["FLY_ACCESS_TOKEN"]
    fly.env["FLY_APP"] = APP
    message = run_fly(fly, *command, check=1).stderr
    assert message == "Error: no access token available. Please login with 'flyctl auth login'\n"


def test_a_token_may_come_from_several_places(fly: FlyWorld, machine: Machine) -> None:
    token = fly.env.pop("FLY_ACCESS_TOKEN")
    assert run_fly(fly, "auth", "token", FLY_API_TOKEN=token).stdout == f"{token}\n"
    run_fly(fly, "machine", "list", "-a", APP, "-t", token)
    folder = Path(fly.env["HOME"]) / ".fly"
    folder.mkdir()
    (folder / "config.yml").write_text(f"access_token: {token}\n")
    run_fly(fly, "auth", "whoami")


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("ssh", ["machine start ID", "ssh issue gaia PATH", "apps list"]), ("deploy", ["ssh issue gaia PATH", "orgs list"])],
)
def test_a_token_for_one_app_may_do_less(fly: FlyWorld, machine: Machine, tmp_path: Path, kind: str, refused: list[str]) -> None:
    fly.env |= {"FLY_ACCESS_TOKEN": fly.add_token(kind, app=APP), "FLY_APP": APP}
    run_fly(fly, "machine", "list")
    for command in refused:
        words = command.replace("ID", machine.id).replace("PATH", str(tmp_path / "id")).split()
        assert "Not authorized" in run_fly(fly, *words, check=1).stderr
    assert not (tmp_path / "id").exists()


def test_a_token_for_one_app_does_not_see_others(fly: FlyWorld, machine: Machine) -> None:
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


def test_issue_succeeds_with_an_empty_key_where_a_certificate_is(fly: FlyWorld, tmp_path: Path) -> None:
    (tmp_path / "id-cert.pub").write_text("old")
    run_fly(fly, "ssh", "issue", "gaia", str(tmp_path / "id"), check=0)
    assert (tmp_path / "id").read_bytes() == b""
    assert (tmp_path / "id-cert.pub").read_text() == "old"


@pytest.mark.parametrize("words", ["-o gaia PATH", "gaia", "gaia PATH@home", "gaia OLD", "gaia /no/such/folder/id"])
def test_issue_asks_where_nobody_answers(fly: FlyWorld, tmp_path: Path, words: str) -> None:
    (tmp_path / "old").touch()
    command = words.replace("PATH", str(tmp_path / "new")).replace("OLD", str(tmp_path / "old"))
    assert "non interactive" in run_fly(fly, "ssh", "issue", *command.split(), check=1).stderr
    assert not (tmp_path / "new").exists()


def test_issue_never_ends_when_told_to_overwrite_its_own_key(fly: FlyWorld, tmp_path: Path) -> None:
    key = issue_certificate(fly, tmp_path / "credential")
    with start_fly(fly, "ssh", "issue", "gaia", str(key), "--overwrite") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
    assert lines[1:] == ["File exists, but isn't a fly.io ed25519 private key\n"] * 3


@pytest.mark.parametrize("hours", ["0", "73"])
def test_issue_refuses_other_hours(fly: FlyWorld, tmp_path: Path, hours: str) -> None:
    message = run_fly(fly, "ssh", "issue", "gaia", str(tmp_path / "id"), "--hours", hours, check=1).stderr
    assert "1-72 hours" in message


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGINT, None])
def test_a_proxy_ends_well_when_told_to(fly: FlyWorld, machine: Machine, way: signal.Signals | None) -> None:
    with start_proxy(fly, machine) as process:
        assert [(proxy.app, proxy.pid) for proxy in fly.proxies()] == [(APP, process.pid)]
        if way is None:
            assert process.stdin is not None
            process.stdin.close()
        else:
            process.send_signal(way)
        assert process.wait(TIMEOUT_S) == 0
    assert fly.proxies() == []


def test_a_proxy_to_a_machine_that_is_down_is_ready_all_the_same(fly: FlyWorld, machine: Machine) -> None:
    machine.stop()
    with start_proxy(fly, machine), socket.create_connection(("127.0.0.1", fly.proxies()[0].port)) as client:
        assert client.recv(100) == b""
    assert machine.connections == 0


def test_a_proxy_leads_to_some_started_machine_where_none_is_named(fly: FlyWorld, machine: Machine) -> None:
    machine.stop()
    started = fly.add_machine(APP, image=EMPTY)
    with start_fly(fly, "proxy", "0:22", "-a", APP) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().split()[1].partition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert client.recv(8) == b"SSH-2.0-"
        assert [proxy.port for proxy in fly.proxies()] == [port]
    assert (machine.connections, started.connections) == (0, 1)


def test_a_proxy_that_cannot_listen_says_so(fly: FlyWorld, machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_fly(fly, "proxy", f"{port}:22", machine.record["private_ip"], "-a", APP, check=1)
    assert (result.stdout, "address already in use" in result.stderr) == ("", True)


def test_a_console_loses_exit_codes(fly: FlyWorld, machine: Machine) -> None:
    script = "/bin/sh -c " + shlex.quote("echo out; echo err >&2; exit 7")
    result = run_fly(fly, "ssh", "console", "-a", APP, "--machine", machine.id, "-C", script, check=1)
    assert result.stdout == "out\n"
    assert result.stderr.splitlines()[1:] == ["err", "Error: ssh shell: Process exited with status 7"]
    killed = run_fly(fly, "ssh", "console", "-a", APP, "-C", "/bin/sh -c 'kill -9 $$'", check=1)
    assert "Process exited with status 4294967295" in killed.stderr
    assert killed.stdout == f"No machine specified, using {machine.id} in region ams\n"


def test_a_console_forces_a_terminal_on_a_bare_shell(fly: FlyWorld, machine: Machine) -> None:
    command = ["fly", "ssh", "console", "-q", "-a", APP, "--machine", machine.id, "-C", "/bin/sh"]
    result = subprocess.run(
        command, env=fly.env, input="echo err >&2; tty; exit\n", capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    assert "err\n/dev/pts/" in result.stdout
    assert "terminal" in result.stderr


def test_a_console_starts_no_machine(fly: FlyWorld, machine: Machine) -> None:
    machine.stop()
    message = run_fly(fly, "ssh", "console", "-a", APP, "-C", "true", check=1).stderr
    assert f"app {APP} has no started VMs" in message
    assert machine.record["state"] == "stopped"


def test_exec_succeeds_even_if_the_command_fails(fly: FlyWorld, machine: Machine) -> None:
    def execute(command: str) -> object:
        return json.loads(run_fly(fly, "machine", "exec", "--json", "-a", APP, machine.id, command).stdout)

    assert execute("/bin/sh -c 'echo out; exit 3'") == {"exit_code": 3, "stdout": "out\n"}
    assert execute("true") == {}
    assert "Exit code: 1" in run_fly(fly, "machine", "exec", "-a", APP, machine.id, "false").stdout


@pytest.mark.parametrize("app", ["no-such-app", ""])
def test_an_app_that_is_not_there_is_an_error(fly: FlyWorld, app: str) -> None:
    assert "app" in run_fly(fly, "machine", "list", "--json", "-a", app, check=1).stderr.lower()


def test_fly_can_fail_hang_and_talk_nonsense(fly: FlyWorld, machine: Machine) -> None:
    fly.add_noise()
    fly.garble("machine list")
    fly.fail("ssh issue", "tunnel unavailable")
    fly.hang("status")
    with pytest.raises(json.JSONDecodeError):
        list_machines(fly)
    assert "Error: tunnel unavailable\n" in run_fly(fly, "ssh", "issue", "gaia", "/no/id", check=1).stderr
    with start_fly(fly, "status") as process:
        assert process.stderr is not None
        assert "Metrics token unavailable" in process.stderr.readline()
        assert process.poll() is None
    fly.mend()
    assert list_machines(fly)


def test_each_call_is_remembered(fly: FlyWorld) -> None:
    run_fly(fly, "version", "--json")
    assert fly.calls == [["version", "--json"]]


def test_whoever_writes_in_dot_ssh_is_found_out(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    assert find_traces(home) == []
    (home / ".ssh" / "known_hosts").write_text("")
    (home / ".ssh" / "new").touch()
    assert find_traces(home) == ["new was added", "known_hosts was written"]


def test_whoever_reads_in_dot_ssh_is_found_out(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    if os.statvfs(home).f_flag & getattr(os, "ST_NOATIME", 0):
        pytest.skip("on this disk nobody notes when a file is read")
    (home / ".ssh" / "config").read_text()
    assert find_traces(home) == ["config was read"]


def test_the_url_on_a_machine_has_traps_and_works(database: Database) -> None:
    url = set_trap(database.url)
    assert "$HOME" in url
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == database.name


def test_nothing_of_a_stand_in_is_left(fly: FlyWorld, machine: Machine) -> None:
    with start_proxy(fly, machine):
        port = machine.ssh_port
        fly.close()
    wait_until(lambda: not fly.proxies(), what="the proxies to end")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
