"""Tests of the stand-in's SSH server: how connections and commands end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric import Connection
from paramiko.ssh_exception import SSHException

from tests.kit.databases import Database, ask
from tests.kit.fly.boot import SSHD, find_sshd
from tests.kit.fly.client import connect, issue_certificate, make_connection, run_fly, shell, start_proxy
from tests.kit.fly.images import Image
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.waiting import wait_until

APP = "gaia-gateway-staging"
EMPTY = Image(has_app=False)
KILLED = (-1, 4294967295)
WAITING = "cd $TMPDIR; touch begun; until [ -e go ]; do sleep 0.01; done; touch done; echo done"


@pytest.fixture
def machine(fly: FlyWorld) -> FlyMachine:
    return fly.add_app(APP, image=EMPTY)[0]


@pytest.fixture
def connection(fly: FlyWorld, machine: FlyMachine, tmp_path: Path) -> Iterator[Connection]:
    with connect(fly, machine, tmp_path / "credential") as connection:
        yield connection


def test_the_first_connections_to_a_machine_fail(fly: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    machine.refuse(2)
    with connect(fly, machine, tmp_path / "credential") as connection:
        for _ in range(2):
            with pytest.raises((SSHException, EOFError)):
                connection.open()
        assert connection.run("echo up").stdout == "up\n"
    assert machine.connections == 3


def test_a_machine_accepts_and_never_answers(fly: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    machine.fall_silent()
    key = issue_certificate(fly, tmp_path / "credential")
    with start_proxy(fly, machine):
        connection = make_connection(fly.proxies()[0].port, key, banner_timeout=0.2)
        with connection, pytest.raises(SSHException, match="banner"):
            connection.open()


def test_a_command_outlives_its_proxy(fly: FlyWorld, machine: FlyMachine, connection: Connection) -> None:
    running = connection.run(shell(WAITING), asynchronous=True)
    wait_until((machine.folder.temporary / "begun").exists, what="the command to begin")
    fly.kill_proxy()
    assert running.join().exited == -1
    (machine.folder.temporary / "go").touch()
    wait_until((machine.folder.temporary / "done").exists, what="the command to end")


def test_a_command_that_writes_ends_when_its_connection_is_lost(
    fly: FlyWorld, machine: FlyMachine, connection: Connection
) -> None:
    running = connection.run(shell("while echo event; do sleep 0.01; done; touch $TMPDIR/done"), asynchronous=True)
    wait_until(machine.processes, what="the command to begin")
    fly.kill_proxy()
    assert running.join().exited == -1
    wait_until(lambda: not machine.processes(), what="the command to be ended by its pipe")
    assert not (machine.folder.temporary / "done").exists()


def test_the_commands_of_a_machine_end_when_it_is_stopped(fly: FlyWorld, machine: FlyMachine, connection: Connection) -> None:
    running = connection.run("sleep 600", asynchronous=True)
    wait_until(lambda: machine.processes("sleep"), what="the command to begin")
    machine.stop()
    assert running.join().exited in KILLED
    assert machine.processes() == []
    run_fly(fly, "machine", "start", machine.id, "-a", APP)
    connection.close()
    assert connection.run("echo again").stdout == "again\n"


def test_processes_of_one_machine_are_not_those_of_another(fly: FlyWorld, machine: FlyMachine, connection: Connection) -> None:
    other = fly.add_app("gaia-gateway-dev")[0]
    running = connection.run("sleep 600", asynchronous=True)
    wait_until(lambda: machine.processes("sleep"), what="the command to begin")
    assert other.processes() == []
    assert machine.kill("sleep") == 1
    assert running.join().exited in KILLED
    assert machine.commands == ["sleep 600"]


def test_the_host_key_changes_with_a_deploy(fly: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    key = issue_certificate(fly, tmp_path / "credential")

    def read_host_key() -> bytes:
        with make_connection(machine.ssh_port, key) as connection:
            connection.open()
            return bytes(connection.transport.get_remote_server_key().asbytes())

    before = read_host_key()
    assert read_host_key() == before
    machine.change_host_key()
    assert read_host_key() != before


def test_the_runner_works_on_a_machine(fly: FlyWorld, database: Database, tmp_path: Path) -> None:
    machine = fly.add_app(APP, database)[0]
    with connect(fly, machine, tmp_path / "credential") as connection:
        assert connection.run(shell('cd "$APP_DIR" && python scripts/migrate.py')).stderr == ""
    assert ask(database.url, "SELECT count(*) > 0 FROM schema_migrations")


@pytest.mark.skipif(os.geteuid() == 0 or find_sshd() is None, reason="needs OpenSSH's server and an ordinary account")
def test_openssh_without_root_accepts_the_account_that_runs_it(tmp_path: Path) -> None:
    with make_world(tmp_path / "fly", SSHD) as world:
        machine = world.add_app(APP)[0]
        with connect(world, machine, tmp_path / "credential") as connection:
            assert connection.run("id -un").stdout.strip() == world.login
