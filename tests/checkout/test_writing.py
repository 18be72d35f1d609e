"""Files are replaced through a new temporary file, and never through a link."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.checkout.writing import write_file
from tasks.runner.errors import RefusedError
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import wait_until

LONGEST_NAME = "x" * 255
LEAVE = """
import os, sys
from pathlib import Path
from tasks.checkout import writing
temporary, descriptor = writing._create_temporary(Path(sys.argv[1]))
os.write(descriptor, b"half")
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a file beside the folder `inside`, in which the tests write."""
    (tmp_path / "inside").mkdir()
    path = tmp_path / "outside.txt"
    path.write_text("precious")
    return path


@pytest.mark.parametrize("name", ["schema.sql", LONGEST_NAME])
def test_a_file_is_written_and_nothing_is_left_beside_it(tmp_path: Path, name: str) -> None:
    for data in (b"one", b"two"):
        write_file(tmp_path / name, data)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, data)]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_an_existing_file_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "f"
    path.write_text("")
    path.chmod(mode)
    write_file(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "f", b"x")
        write_file(tmp_path / "g", b"x", mode=0o644)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "fg"] == [0o640, 0o644]


def test_the_other_name_of_a_file_keeps_its_content(outside: Path) -> None:
    path = outside.parent / "inside" / "hard"
    path.hardlink_to(outside)
    write_file(path, b"x")
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("target", ["../outside.txt", "missing"])
def test_a_link_is_refused_and_what_it_leads_to_stays(outside: Path, target: str) -> None:
    path = outside.parent / "inside" / "schema.sql"
    path.symlink_to(target)
    with pytest.raises(RefusedError, match=f"schema.sql is a link to {target}, and nothing is written or removed through a link"):
        write_file(path, b"x")
    assert path.is_symlink()
    assert outside.read_text() == "precious"
    assert sorted(each.name for each in path.parent.iterdir()) == ["schema.sql"]


def test_a_folder_that_is_a_link_is_refused_below_the_folder_that_a_setting_names(outside: Path) -> None:
    migrations = outside.parent / "linked"
    migrations.symlink_to(outside.parent / "inside")
    write_file(migrations / "renames.toml", b"x", within=migrations)
    (migrations / "up").symlink_to(outside.parent)
    with pytest.raises(RefusedError, match="up is a link to"):
        write_file(migrations / "up" / "outside.txt", b"x", within=migrations)
    assert outside.read_text() == "precious"


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    with pytest.raises(RefusedError, match="f is not a regular file"):
        write_file(tmp_path / "f", b"x")


def test_a_folder_in_the_place_of_the_file_is_an_error_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "f", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]


def test_a_link_that_was_planted_under_the_temporary_name_of_earlier_versions_has_no_effect(outside: Path) -> None:
    path = outside.parent / "inside" / "schema.sql"
    path.with_name(".schema.sql.new").symlink_to(outside)
    write_file(path, b"x")
    assert path.read_bytes() == b"x"
    assert outside.read_text() == "precious"


def test_what_a_killed_process_left_is_removed_and_the_file_of_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "schema.sql"
    command = [sys.executable, "-c", LEAVE, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            write_file(path, b"one")
            assert len(list(tmp_path.iterdir())) == 2
        finally:
            process.send_signal(signal.SIGKILL)
    wait_until(lambda: process.returncode is not None, what="the end")
    write_file(path, b"two")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("schema.sql", b"two")]


def test_a_file_that_cannot_be_written_is_unchanged_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("before")
    with pytest.raises(TypeError):
        write_file(path, None)  # type: ignore[arg-type]
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("f", "before")]
