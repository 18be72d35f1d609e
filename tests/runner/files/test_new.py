"""Creating the files of a new migration, by one process and by several."""

import fcntl
import multiprocessing
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.files import new
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.new import MigrationText, write_all_or_none

NOW = datetime(2025, 8, 13, 14, 0, 0, tzinfo=UTC)
PROCESSES = 4
EACH = 20


def render(version: str) -> MigrationText:
    """Return a text that contains the version."""
    return MigrationText(f"-- {version}, up\n", f"-- {version}, down\n")


create_migration = partial(new.create_migration, compose=render)


def list_files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def test_both_files_are_created_from_the_template_in_missing_folders(tmp_path: Path) -> None:
    directory = tmp_path / "app" / "migrations"
    made = create_migration(directory, "Add User Settings Table", now=NOW)
    version = "20250813140000_add_user_settings_table"
    assert (made.version, made.notes) == (version, ())
    assert made.up == directory / "up" / f"{version}.sql"
    assert made.down == directory / "down" / f"{version}.sql"
    assert made.up.read_text() == render(version).up
    assert made.down.read_text() == render(version).down
    assert list_files(directory) == [f"down/{version}.sql", f"up/{version}.sql"]


def test_two_files_of_one_second_get_successive_timestamps(tmp_path: Path) -> None:
    versions = [create_migration(tmp_path, "add_users_table", now=NOW).version for _ in range(3)]
    assert versions == [f"2025081314000{second}_add_users_table" for second in range(3)]


def test_a_newest_file_in_the_future_is_followed_and_noted(tmp_path: Path) -> None:
    create_migration(tmp_path, "first", now=NOW.replace(year=2031))
    made = create_migration(tmp_path, "second", now=NOW)
    assert made.version == "20310813140001_second"
    (note,) = made.notes
    assert note == ("The newest file is dated 20310813140000 (UTC), which is in the future; 20310813140001_second follows it.")


def test_a_newer_down_file_alone_is_followed_too(tmp_path: Path) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "20250813140007_lost_its_up.sql").touch()
    assert create_migration(tmp_path, "next", now=NOW).version == "20250813140008_next"


def test_files_that_are_not_migrations_do_not_change_the_timestamp(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    for name in ("_20270101000000_left_out.sql", "20270101000000_a.sql~", "99990101000000_no_year.sql"):
        (tmp_path / "up" / name).touch()
    assert create_migration(tmp_path, "next", now=NOW).version == "20250813140000_next"


def test_a_flat_folder_gets_an_up_file_only_and_a_note(tmp_path: Path) -> None:
    (tmp_path / "20250101000000_first.sql").write_text("SELECT 1;")
    made = create_migration(tmp_path, "second", now=NOW)
    assert (made.up, made.down) == (tmp_path / "20250813140000_second.sql", None)
    assert list_files(tmp_path) == ["20250101000000_first.sql", "20250813140000_second.sql"]
    assert made.notes[0].startswith(f"{tmp_path} is flat (.sql files, neither up/ nor down/), so there is no down file.")


@pytest.mark.parametrize("beside", ["_notes.sql", ".20250101000000_hidden.sql", "README.md"])
def test_a_folder_with_only_ignored_files_is_not_flat(tmp_path: Path, beside: str) -> None:
    (tmp_path / beside).touch()
    assert create_migration(tmp_path, "first", now=NOW).down is not None


@pytest.mark.parametrize("folder", ["up", "down"])
def test_a_folder_with_up_or_down_is_not_flat(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / "20250101000000_stray.sql").touch()
    assert create_migration(tmp_path, "first", now=NOW).down is not None


@pytest.mark.parametrize("flat", [True, False])
def test_the_created_files_can_be_read_as_migrations(tmp_path: Path, flat: bool) -> None:
    if flat:
        (tmp_path / "20250101000000_first.sql").touch()
    made = [create_migration(tmp_path, name, now=NOW) for name in ("second", "third")]
    migrations = read_migrations(tmp_path)
    assert list(migrations.checksums)[-2:] == [new.version for new in made]
    assert migrations.flat == flat
    assert [migrations.up_path(new.version) for new in made] == [new.up for new in made]


def test_an_invalid_name_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        create_migration(tmp_path / "migrations", "../users", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_and_the_other_of_the_pair_is_not_created(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("kept")
    with pytest.raises(FileExistsError):
        write_all_or_none(((tmp_path / "first", "a"), (tmp_path / "second", "b")))
    assert list_files(tmp_path) == ["second"]
    assert (tmp_path / "second").read_text() == "kept"


@contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Limit the size of files that this process writes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_if_the_second_file_cannot_be_written_the_first_is_removed(tmp_path: Path) -> None:
    text = render("20250813140000_drop_users_table")
    room = len(text.up.encode())
    assert room < len(text.down.encode())
    with limit_file_size(room), pytest.raises(RunnerError) as caught:
        create_migration(tmp_path, "drop_users_table", now=NOW)
    assert list_files(tmp_path) == []
    assert caught.value.message == f"Cannot create a migration at {tmp_path}: File too large."
    assert caught.value.state == "No migration was created, and no database was changed."
    assert caught.value.hint == "MIGRATIONS_DIR must name a folder that you may write to, on a disk with free space."
    assert create_migration(tmp_path, "drop_users_table", now=NOW).version == "20250813140000_drop_users_table"


@pytest.mark.parametrize("blocked", ["", "up", "down"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, blocked: str) -> None:
    directory = tmp_path / "migrations"
    place = directory / blocked
    place.parent.mkdir(exist_ok=True)
    place.write_text("kept")
    with pytest.raises(RunnerError) as caught:
        create_migration(directory, "add_users_table", now=NOW)
    assert caught.value.message == f"Cannot create a migration at {place}: File exists."
    assert place.read_text() == "kept"
    assert list_files(tmp_path) == [str(place.relative_to(tmp_path))]


def make_many(directory: Path, barrier: Barrier, number: int) -> None:
    barrier.wait(timeout=600)
    for _ in range(EACH):
        create_migration(directory, f"from_process_{number}", now=NOW)


def test_concurrent_processes_get_different_timestamps(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    processes = [context.Process(target=make_many, args=(tmp_path, barrier, number)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    versions = sorted(path.stem for path in (tmp_path / "up").iterdir())
    assert len({version[:14] for version in versions}) == len(versions) == PROCESSES * EACH
    assert sorted(path.stem for path in (tmp_path / "down").iterdir()) == versions


def test_the_lock_ends_with_the_command_and_leaves_no_file(tmp_path: Path) -> None:
    create_migration(tmp_path, "add_users_table", now=NOW)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["down", "up"]
