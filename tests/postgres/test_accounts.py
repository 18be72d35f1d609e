import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.postgres.embedded import EmbeddedServerError, find_running, find_server, start
from tests.kit.servers import FAST_SETTINGS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every directory")
def test_a_directory_of_another_account_is_an_error_that_says_so(directory: Path) -> None:
    data = directory / "data"
    data.chmod(0)
    try:
        with pytest.raises(EmbeddedServerError, match="belongs to another account"):
            start(directory)
    finally:
        data.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_for_root_a_private_folder_is_opened_for_passing_through_and_no_more(empty: Path) -> None:
    empty.parent.mkdir(mode=0o700)
    start(empty, FAST_SETTINGS)
    assert stat.S_IMODE(empty.parent.stat().st_mode) == 0o701
    assert stat.S_IMODE((empty / "data").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_for_root_the_server_runs_as_the_owner_of_the_folder(empty: Path) -> None:
    owner = 1  # daemon, which every Unix has
    empty.mkdir(parents=True)
    os.chown(empty, owner, owner)
    start(empty, FAST_SETTINGS)
    assert (empty / "data").stat().st_uid == owner


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a socket there as somebody else")
def test_a_socket_that_somebody_else_put_in_place_of_the_servers_is_not_taken_for_it(
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
