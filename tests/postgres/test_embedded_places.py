import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server.embedded import EmbeddedServerError, find_programs, find_running, find_server, start, stop
from tests.kit.databases import ask

PLACES = {
    "plain": "project",
    "space": "my project",
    "signs of a shell": """it's "$HOME" & `more`, 100%""",
    "other scripts": "проект-雪",
    "longer than a socket's path may be": "/".join(["a-folder-with-a-long-name"] * 8),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_a_server_works_at_any_path_for_psycopg_and_psql(place: str, new_directory: Callable[..., Path]) -> None:
    directory = new_directory(place)
    url = start(directory)
    assert find_running(directory) == url
    psql = [str(find_programs() / "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--command", "SELECT 7", url]
    assert subprocess.run(psql, capture_output=True, text=True, check=True).stdout == "7\n"
    assert ask(url, "SELECT 7") == 7
    assert stop(directory)


def test_a_relative_path_is_the_same_directory(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(directory.parent)
    assert start(Path(".postgres")) == find_running(directory)


def test_a_moved_project_keeps_its_running_server(directory: Path) -> None:
    start(directory)
    moved = directory.with_name("moved")
    directory.rename(moved)
    url = find_running(moved)
    assert url is not None
    assert ask(url, "SELECT 1") == 1
    assert stop(moved)


def test_variables_for_postgresql_in_the_environment_change_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "6000", "PGDATA": "/nowhere", "PGHOST": "nowhere", "PGDATABASE": "other"}.items():
        monkeypatch.setenv(name, value)
    assert ask(start(directory), "SELECT current_database()") == "gaia_local"


def test_the_environment_of_the_caller_does_not_reach_the_server(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://gaia:secret@production/gaia")
    with psycopg.connect(start(directory)) as connection:
        connection.execute("CREATE TABLE environment (line text); COPY environment FROM PROGRAM 'env'")
        lines = [line for (line,) in connection.execute("SELECT line FROM environment")]
    assert any(line.startswith("PATH=") for line in lines)
    assert not [line for line in lines if "secret" in line]


def test_a_folder_for_the_socket_that_others_may_write_to_is_refused(new_directory: Callable[..., Path]) -> None:
    directory = new_directory(PLACES["longer than a socket's path may be"])
    folder = find_server(directory).socket_folder
    folder.mkdir()
    folder.chmod(0o777)
    try:
        with pytest.raises(EmbeddedServerError, match=f"{folder} already exists"):
            start(directory)
    finally:
        folder.rmdir()
