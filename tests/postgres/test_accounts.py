import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.postgres.server.accounts import SYSTEM_ACCOUNT, Account, open_passage
from tasks.postgres.server.embedded import EmbeddedServerError, find_running, find_server, start
from tests.kit.projects import REPOSITORY
from tests.kit.servers import FAST_SETTINGS


def read_mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def may_mount() -> bool:
    """Return True if this process may mount folders."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every directory")
def test_a_directory_that_may_not_be_read_is_reported(directory: Path) -> None:
    data = directory / "data"
    data.chmod(0)
    try:
        with pytest.raises(EmbeddedServerError, match=r"cannot be used: .*Permission denied"):
            start(directory)
    finally:
        data.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_for_root_a_private_folder_gets_only_the_search_permission_for_the_account(empty: Path) -> None:
    empty.parent.mkdir(mode=0o700)
    start(empty, FAST_SETTINGS)
    data = (empty / "data").stat()
    assert read_mode(empty.parent) == 0o710
    assert empty.parent.stat().st_gid == data.st_gid != 0
    assert (read_mode(empty), empty.stat().st_uid) == (0o700, data.st_uid)
    assert read_mode(empty / "data") == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
@pytest.mark.parametrize(("before", "after"), [(0o700, 0o710), (0o750, 0o751), (0o705, 0o705), (0o755, 0o755)])
def test_a_folder_is_opened_no_further_than_the_account_needs(tmp_path: Path, before: int, after: int) -> None:
    tmp_path.chmod(before)
    open_passage(tmp_path / "data", Account("daemon", 1, 1))
    assert read_mode(tmp_path) == after


def test_the_folder_is_private_whatever_the_umask(empty: Path) -> None:
    empty.parent.mkdir()
    before = os.umask(0)
    try:
        start(empty, FAST_SETTINGS)
    finally:
        os.umask(before)
    assert read_mode(empty) == 0o700
    assert [path for path in empty.rglob("*") if not path.is_symlink() and read_mode(path) & 0o077 and not path.is_socket()] == []


@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_an_existing_folder_becomes_private(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    start(directory)
    assert read_mode(directory) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for two accounts")
def test_a_folder_or_a_data_directory_of_another_account_is_refused(short_path: Path) -> None:
    folder = short_path / ".postgres"
    (folder / "data").mkdir(parents=True)
    folder.chmod(0o777)
    for owner, owner_of_data in ((1, 2), (2, 1), (2, 2), (0, 1)):
        os.chown(folder, owner, owner)
        os.chown(folder / "data", owner_of_data, owner_of_data)
        os.seteuid(1)
        try:
            for use in (start, find_running):
                with pytest.raises(EmbeddedServerError, match="belongs to another account"):
                    use(folder)
        finally:
            os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_for_root_the_server_runs_as_the_owner_of_the_folder(empty: Path) -> None:
    owner = 1  # daemon, which every Unix has
    empty.mkdir(parents=True)
    os.chown(empty, owner, owner)
    start(empty, FAST_SETTINGS)
    assert (empty / "data").stat().st_uid == owner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create a socket of another account")
def test_a_socket_of_another_account_is_not_used(
    new_directory: Callable[..., Path],
) -> None:
    directory = new_directory("/".join(["long"] * 30))
    start(directory)
    place = find_server(directory).socket
    place.rename(place.with_name("moved"))
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(place))
        impostor.listen()
        assert find_running(directory) is None
    place.with_name("moved").rename(place)
    assert find_running(directory)


@pytest.mark.skipif(not may_mount(), reason="only root, where it may mount, can have an /etc of its own")
def test_concurrent_processes_get_the_same_account(tmp_path: Path) -> None:
    script = f"""
    cp -a /etc {tmp_path} && mount --bind {tmp_path}/etc /etc
    sed -i /^{SYSTEM_ACCOUNT}:/d /etc/passwd /etc/shadow /etc/group /etc/gshadow
    for number in 1 2 3 4 5 6; do
        {sys.executable} -c 'from tasks.postgres.server.accounts import *; print(choose_account(Path("/")))' &
    done
    wait
    """
    command = ["unshare", "--mount", "bash", "-ec", script]
    output = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    accounts = re.findall(r"Account\([^)]*\)", output)
    assert len(accounts) == 6, output
    assert len(set(accounts)) == 1
