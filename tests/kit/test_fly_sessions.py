"""Tests of sessions on the stand-in's machines: how a command starts, and who may log in."""

import io
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fabric import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from paramiko.ssh_exception import AuthenticationException

from tests.kit.fly.client import connect, issue_certificate, make_connection, shell
from tests.kit.fly.fixtures import SERVER
from tests.kit.fly.hallpass import split_words
from tests.kit.fly.images import Image
from tests.kit.fly.machines import FlyMachine
from tests.kit.fly.world import FlyWorld, make_world

KILLED = (-1, 4294967295)
PROFILE = Path("/etc/profile")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlyWorld]:
    with make_world(tmp_path_factory.mktemp("world") / "fly", SERVER) as world:
        yield world


@pytest.fixture(scope="module")
def machine(world: FlyWorld) -> FlyMachine:
    return world.add_app("gaia-gateway-staging", image=Image(has_app=False))[0]


@pytest.fixture(scope="module")
def connection(world: FlyWorld, machine: FlyMachine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with connect(world, machine, tmp_path_factory.mktemp("credential") / "new") as connection:
        yield connection


def test_a_script_runs_with_a_shell(connection: Connection) -> None:
    result = connection.run(shell('cd / && echo "it\'s $((6 * 7))"; echo warning >&2; exit 7'))
    assert (result.exited, result.stdout, result.stderr) == (7, "it's 42\n", "warning\n")


@pytest.mark.parametrize("command", ["cd /tmp && ls", "X=1 env", "$HOME/x", "no-such-program"])
def test_there_is_no_shell_around_a_command(connection: Connection, command: str) -> None:
    result = connection.run(command)
    assert result.exited != 0
    assert f'exec: "{command.split()[0]}": executable file not found in $PATH' in result.stderr


def test_metacharacters_of_a_shell_are_arguments(connection: Connection) -> None:
    assert connection.run("echo a; b | c > $HOME 'two  words'").stdout == "a; b | c > $HOME two  words\n"


def test_a_newline_within_quotes_is_replaced(connection: Connection) -> None:
    assert connection.run("printf '%s' 'a\nb'").stdout == "a b"


def test_a_killed_command_has_no_exit_code(connection: Connection) -> None:
    assert connection.run(shell("kill -9 $$")).exited in KILLED


def test_stdin_arrives_and_ends(connection: Connection) -> None:
    assert connection.run("/bin/sh -s", in_stream=io.StringIO("echo one\necho two\n")).stdout == "one\ntwo\n"


def test_a_terminal_joins_stderr_with_stdout(connection: Connection) -> None:
    result = connection.run(shell("echo out; echo err >&2; test -t 0; exit $?"), pty=True)
    assert (result.exited, result.stdout, result.stderr) == (0, "out\r\nerr\r\n", "")


def test_only_two_variables_can_be_sent(connection: Connection) -> None:
    result = connection.run("env", env={"FLY_SSH_MACHINE": "1", "DATABASE_URL": "sent"})
    assert "FLY_SSH_MACHINE=1\n" in result.stdout
    assert "sent" not in result.stdout


def test_the_environment_is_that_of_the_machine(connection: Connection, machine: FlyMachine) -> None:
    lines = connection.run("env").stdout.splitlines()
    assert f"FLY_MACHINE_ID={machine.id}" in lines
    assert f"SLOGAN={machine.environment['SLOGAN']}" in lines
    assert not {line.partition("=")[0] for line in lines} & {"FLY_ACCESS_TOKEN", "SSH_CONNECTION", "VIRTUAL_ENV"}


@pytest.mark.skipif(not PROFILE.exists() or "PATH=" not in PROFILE.read_text(), reason="a login shell keeps its PATH")
def test_a_login_shell_loses_the_images_path(connection: Connection, machine: FlyMachine) -> None:
    assert connection.run(shell("command -v python")).stdout == f"{machine.folder.disk}/bin/python\n"
    assert str(machine.folder.disk) not in connection.run("/bin/sh -lc 'command -v python'").stdout


def test_the_folder_in_which_a_command_starts_can_be_changed(connection: Connection, machine: FlyMachine) -> None:
    assert connection.run("pwd").stdout == f"{machine.folder.disk}\n"
    machine.start_in(machine.folder.temporary)
    assert connection.run("pwd").stdout == f"{machine.folder.temporary}\n"
    machine.start_in(machine.folder.disk)


def test_files_can_be_put_and_fetched(connection: Connection, machine: FlyMachine, tmp_path: Path) -> None:
    folder = str(machine.folder.temporary / "up")
    place = f"{folder}/load.sql"
    connection.sftp().mkdir(folder, 0o700)
    connection.put(io.BytesIO(b"SELECT 1" * 20_000), place)
    connection.sftp().chmod(place, 0o640)
    connection.get(place, str(tmp_path / "fetched"))
    assert (tmp_path / "fetched").read_bytes() == b"SELECT 1" * 20_000
    assert oct(Path(place).stat().st_mode)[-3:] == "640"
    assert connection.sftp().listdir(folder) == ["load.sql"]
    connection.sftp().rename(place, f"{place}.old")
    connection.sftp().remove(f"{place}.old")
    connection.sftp().rmdir(folder)
    with pytest.raises(FileNotFoundError):
        connection.sftp().stat(place)


def is_refused(machine: FlyMachine, key: Path) -> bool:
    with make_connection(machine.ssh_port, key) as connection:
        try:
            connection.open()
        except AuthenticationException:
            return True
    return False


def test_a_certificate_lets_its_owner_in(world: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    assert not is_refused(machine, issue_certificate(world, tmp_path / "new"))


def test_an_expired_certificate_is_refused(world: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    world.limit_certificates(-1)
    key = issue_certificate(world, tmp_path / "new")
    world.clear_faults()
    assert is_refused(machine, key)


@pytest.mark.parametrize("flags", [("--username", "fly"), ("-u", "postgres,fly")])
def test_a_certificate_for_other_accounts_is_refused(
    world: FlyWorld, machine: FlyMachine, tmp_path: Path, flags: tuple[str, str]
) -> None:
    assert is_refused(machine, issue_certificate(world, tmp_path / "new", *flags))


def test_a_key_without_its_certificate_is_refused(world: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    key = issue_certificate(world, tmp_path / "new")
    key.with_name("id-cert.pub").unlink()
    assert is_refused(machine, key)


def test_a_certificate_with_another_key_is_refused(world: FlyWorld, machine: FlyMachine, tmp_path: Path) -> None:
    key = issue_certificate(world, tmp_path / "new")
    issue_certificate(world, tmp_path / "other").replace(key)
    assert is_refused(machine, key)


def test_a_certificate_of_another_authority_is_refused(
    world: FlyWorld, machine: FlyMachine, tmp_path: Path, fly: FlyWorld
) -> None:
    assert is_refused(machine, issue_certificate(fly, tmp_path / "new"))


def split_or_refuse(split: Callable[[str], list[str]], command: str) -> list[str] | str:
    try:
        return split(command)
    except ValueError as error:
        return str(error)


@given(st.text(alphabet="ab \t\"'\\", max_size=12))
@settings(max_examples=500, database=None, deadline=None)
def test_a_command_is_split_as_by_shlex(command: str) -> None:
    assert split_or_refuse(split_words, command) == split_or_refuse(shlex.split, command)
