"""The embedded server on 127.0.0.1: its URL stays the same, needs the password, and nobody else can read that."""

import re
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import control, embedded
from tasks.postgres.server.embedded import EmbeddedServerError, find_server, start, start_for_clients, stop
from tests.kit.databases import ask
from tests.kit.processes import freeze, thaw


def listen(port: int) -> socket.socket:
    """Return a listener of another process, as it were."""
    return socket.create_server(("127.0.0.1", port))


def read_part(url: str, name: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)[name])


def read_port(url: str) -> int:
    return int(read_part(url, "port"))


def start_without_tcp(directory: Path) -> None:
    """Start the server as an older version of this tool did."""
    control.start(find_server(directory), embedded.build_settings())


def test_the_url_has_all_parts_and_stays_the_same_over_stop_and_start(directory: Path) -> None:
    url = start_for_clients(directory)
    assert re.fullmatch(r"postgresql://postgres:[0-9a-f]{32}@127\.0\.0\.1:[0-9]{5}/gaia_local", url)
    assert ask(url, "SELECT inet_server_addr()::text") == "127.0.0.1/32"
    assert stop(directory)
    start(directory)
    assert start_for_clients(directory) == url
    assert ask(url, "SELECT 1") == 1


def test_only_the_password_opens_a_connection_and_only_on_127_0_0_1(directory: Path) -> None:
    url = start_for_clients(directory)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url, password="x")
    assert ask(url, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(url, "SELECT count(*) FROM pg_hba_file_rules WHERE type LIKE 'host%' AND auth_method <> 'scram-sha-256'") == 0


def test_the_password_is_readable_by_its_owner_only_and_nowhere_else(directory: Path) -> None:
    url = start_for_clients(directory)
    password = read_part(url, "password")
    files = [path for path in directory.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert [path.name for path in files] == ["pgpass"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert files[0].stat().st_uid == find_server(directory).data.stat().st_uid
    assert password not in subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout


def test_two_projects_have_two_ports(new_directory: Callable[..., Path]) -> None:
    urls = [start_for_clients(new_directory(place)) for place in ("one", "two")]
    assert len({read_port(url) for url in urls}) == 2
    assert [ask(url, "SELECT 1") for url in urls] == [1, 1]


def test_if_another_process_has_the_port_the_server_takes_the_next_one_and_keeps_it(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = read_port(start_for_clients(directory))
    stop(directory)
    with listen(port):
        moved = start_for_clients(directory)
        assert read_port(moved) == port + 1
        assert f"Another process uses port {port}" in caplog.text
        assert "inv db.url" in caplog.text
    stop(directory)
    assert start_for_clients(directory) == moved


def test_a_server_without_tcp_gains_it_at_the_next_start_without_loss(directory: Path) -> None:
    start_without_tcp(directory)
    old = start(directory)
    with psycopg.connect(old) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    stop(directory)
    start(directory)
    assert ask(start_for_clients(directory), "SELECT answer FROM kept") == 42
    assert ask(old, "SELECT answer FROM kept") == 42


def test_a_running_server_without_tcp_is_restarted_unless_it_has_other_sessions(directory: Path) -> None:
    start_without_tcp(directory)
    with psycopg.connect(start(directory)) as session:
        with pytest.raises(EmbeddedServerError, match=r"was started without TCP.*it has other sessions") as raised:
            start_for_clients(directory)
        assert raised.value.hint.endswith("inv db.stop db.url")
        assert session.execute("SELECT 1").fetchone() == (1,)
    assert ask(start_for_clients(directory), "SELECT 1") == 1


def test_a_session_whose_client_has_closed_it_does_not_prevent_the_restart(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_without_tcp(directory)
    session = psycopg.connect(start(directory))
    pid, sleep = session.info.backend_pid, time.sleep

    def end_session(seconds: float) -> None:
        with suppress(ProcessLookupError):
            thaw(pid)
        sleep(seconds)

    freeze(pid)
    try:
        session.close()
        # The server ends the session while the start waits.
        monkeypatch.setattr(time, "sleep", end_session)
        assert ask(start_for_clients(directory), "SELECT 1") == 1
    finally:
        end_session(0)


@pytest.mark.parametrize("text", [None, "", "nonsense", "127.0.0.1:1:*:postgres:x:y", "127.0.0.1:70000:*:postgres:x"])
def test_a_lost_or_damaged_password_file_is_written_again(directory: Path, text: str | None) -> None:
    port = read_port(start_for_clients(directory))
    path = directory / "pgpass"
    path.unlink()
    if text is not None:
        path.write_text(text)
    url = start_for_clients(directory)
    assert read_port(url) == port
    assert ask(url, "SELECT 1") == 1


def test_a_password_that_was_changed_in_the_server_is_set_again(directory: Path) -> None:
    url = start_for_clients(directory)
    with psycopg.connect(start(directory)) as connection:
        connection.execute("ALTER ROLE postgres PASSWORD 'mine' VALID UNTIL '2020-01-01'")
    assert start_for_clients(directory) == url
    assert ask(url, "SELECT 1") == 1
