"""When a file was written: the sources of the date, and their order."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.legacy.reading.dates import FileDate, date_files, read_header_date
from tasks.legacy.reading.files import read_old_files
from tests.kit.repositories import TestRepository, isolate_git

MODIFIED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
WRITTEN = "-- Date: 2025-02-03\nSELECT 1;"


def read_dates(folder: Path) -> dict[str, FileDate]:
    """Return the date of each file by its name; all of them were last modified at the same time."""
    for path in folder.glob("*.sql"):
        os.utime(path, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    dates = date_files(read_old_files(folder))
    return {path.stem: date for path, date in dates.items()}


def test_the_first_commit_of_a_file_is_found_through_renames_and_edits(repository: TestRepository) -> None:
    repository.commit("2025-01-02T03:04:05+02:00", a="-- one\n-- two\n-- three\nSELECT 1;")
    repository.git("mv", "a.sql", "001_a.sql")
    repository.commit("2025-02-01T00:00:00Z")
    (repository.root / "sub").mkdir()
    repository.git("mv", "001_a.sql", "sub/002_a.sql")
    repository.commit("2025-03-01T00:00:00Z")
    repository.commit("2025-04-01T00:00:00Z", sub__002_a="-- one\n-- two\n-- three\nSELECT 2;")
    dates = read_dates(repository.root / "sub")
    assert dates == {"002_a": FileDate(datetime(2025, 1, 2, 1, 4, 5, tzinfo=UTC), "git")}


def test_files_of_one_commit_have_one_date(repository: TestRepository) -> None:
    repository.commit("2025-01-02T00:00:00Z", a="SELECT 1;", b="CREATE TABLE t ();")
    dates = read_dates(repository.root)
    assert dates["a"] == dates["b"] == FileDate(datetime(2025, 1, 2, tzinfo=UTC), "git")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        (WRITTEN, FileDate(datetime(2025, 2, 3, tzinfo=UTC), "header")),
        ("SELECT 1;", FileDate(MODIFIED, "modification time")),
    ],
)
def test_an_untracked_file_is_dated_by_its_header_then_by_its_modification_time(
    repository: TestRepository, text: str, date: FileDate
) -> None:
    repository.commit("2025-01-02T00:00:00Z", known="SELECT 1;")
    repository.write({"a.sql": text})
    assert read_dates(repository.root)["a"] == date


@pytest.mark.parametrize("missing", ["repository", "git"])
def test_without_git_the_header_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    isolate_git(monkeypatch, tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if missing == "git":
        monkeypatch.setenv("PATH", "")
    (tmp_path / "a.sql").write_text(WRITTEN)
    assert read_dates(tmp_path) == {"a": FileDate(datetime(2025, 2, 3, tzinfo=UTC), "header")}


def test_a_timestamp_in_the_name_takes_precedence(repository: TestRepository) -> None:
    repository.commit("2025-01-02T00:00:00Z", **{"20240101020304_a": WRITTEN, "20240231000000_b": WRITTEN})
    dates = read_dates(repository.root)
    assert dates["20240101020304_a"] == FileDate(datetime(2024, 1, 1, 2, 3, 4, tzinfo=UTC), "name")
    assert dates["20240231000000_b"].source == "git"


def test_the_last_commit_of_a_shallow_clone_is_not_taken_for_the_first_of_the_file(
    repository: TestRepository, tmp_path: Path
) -> None:
    repository.commit("2025-01-02T00:00:00Z", a="SELECT 1;", b=WRITTEN)
    repository.commit("2025-02-02T00:00:00Z", c="CREATE TABLE c ();")
    repository.commit("2025-03-02T00:00:00Z", d="CREATE TABLE d ();")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "2", f"file://{repository.root}", str(clone)], check=True)
    dates = read_dates(clone)
    assert {name: date.source for name, date in dates.items()} == {
        "a": "modification time",
        "b": "header",
        "c": "modification time",
        "d": "git",
    }
    assert all("git fetch --unshallow" in dates[name].notice for name in ("a", "b", "c"))
    assert dates["d"].notice == ""


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("-- Date: 2025-02-03", datetime(2025, 2, 3, tzinfo=UTC)),
        ("-- Created on 2025-02-03 04:05 by ann", datetime(2025, 2, 3, 4, 5, tzinfo=UTC)),
        ("-- 2025/02/03: adds users", datetime(2025, 2, 3, tzinfo=UTC)),
        ("\ufeff/*\n * Users\n * Date: 2025-02-03T04:05:06\n */", datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("-- Date: 2025-02-31\n-- Date: 2025-03-01", datetime(2025, 3, 1, tzinfo=UTC)),
        ("-- Users\n\n-- Date: 2025-02-03", datetime(2025, 2, 3, tzinfo=UTC)),
        ("-- Supports files like report-2025-02-03", None),
        ("SELECT 1;\n-- Date: 2025-02-03", None),
        ("SELECT '2025-02-03';", None),
        ("-- Date: 2025-02-031", None),
        ("", None),
    ],
)
def test_the_date_in_a_header_is_read(text: str, date: datetime | None) -> None:
    assert read_header_date(text.encode()) == date
