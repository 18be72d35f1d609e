"""The folder with the secrets of a connection: private, and gone with its process."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tasks.programs.temporary_folder import make_private_temporary_folder

_HOLD = """
from tasks.programs.temporary_folder import make_private_temporary_folder
with make_private_temporary_folder() as folder:
    (folder / "id").write_text("key")
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder for temporary files of this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_the_folder_of_a_killed_process_is_removed_by_the_next(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.stat().st_mode & 0o777 == 0o700
        with make_private_temporary_folder():
            assert (folder / "id").exists()  # its process is alive
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (folder / "id").exists()
        with make_private_temporary_folder() as own:
            assert list(temporary.iterdir()) == [own]
    assert list(temporary.iterdir()) == []


def test_a_folder_that_its_process_has_just_created_is_kept_and_an_old_one_removed(temporary: Path) -> None:
    new, old = temporary / "migrate-private-new", temporary / "migrate-private-old"
    for folder in (new, old):
        folder.mkdir(mode=0o700)
    os.utime(old, (time.time() - 100_000,) * 2)
    with make_private_temporary_folder() as own:
        assert sorted(temporary.iterdir()) == sorted([own, new])


def test_what_is_not_such_a_folder_is_kept(temporary: Path) -> None:
    target = temporary / "precious"
    target.mkdir(mode=0o700)
    (temporary / "migrate-private-link").symlink_to(target)
    (temporary / "migrate-private-file").touch(mode=0o700)
    (temporary / "migrate-private-wide").mkdir(mode=0o755)
    for path in (target, temporary / "migrate-private-wide"):
        (path / "in-use").touch()
    before = sorted(temporary.rglob("*"))
    with make_private_temporary_folder():
        pass
    assert sorted(temporary.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can create a folder of another user")
def test_a_folder_of_another_user_is_kept(temporary: Path) -> None:
    folder = temporary / "migrate-private-other"
    folder.mkdir(mode=0o700)
    (folder / "in-use").touch()
    os.chown(folder, 65534, 65534)
    with make_private_temporary_folder():
        pass
    assert (folder / "in-use").exists()
