"""Checksums of many files, read again only where they may have changed."""

import hashlib
import os
from pathlib import Path

import pytest

from tasks.runner.files import checksums
from tasks.runner.files.checksums import read_checksums

FORGED = "f" * 64
LONG_AGO_NS = 1_000_000_000 * 10**9


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of three files at rest, and let the cache begin at three."""
    monkeypatch.setattr(checksums, "_CACHE_FROM", 3)
    monkeypatch.setattr(checksums, "_REST_NS", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "up"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / name).write_text(name)
    return folder


def list_entries(folder: Path) -> dict[str, "os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def read(folder: Path) -> dict[str, str]:
    found, problems = read_checksums(folder, list_entries(folder))
    assert problems == []
    return found


def expect(**texts: str) -> dict[str, str]:
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


def find_caches(folder: Path) -> list[Path]:
    return [path for path in (folder.parent / "cache").rglob("*") if path.is_file()]


def forge_checksum_of_a(folder: Path) -> None:
    """Put a checksum into the cache by which a test sees that it was used."""
    for cache in find_caches(folder):
        cache.write_text(cache.read_text().replace(expect(a="a")["a"], FORGED))


def test_the_checksum_is_of_the_bytes(folder: Path) -> None:
    assert read(folder) == expect(a="a", b="b", c="c")
    assert read(folder) == expect(a="a", b="b", c="c")


def test_a_file_that_did_not_change_is_not_read_again(folder: Path) -> None:
    read(folder)
    forge_checksum_of_a(folder)
    assert read(folder)["a"] == FORGED


def test_a_change_that_keeps_size_and_time_is_seen(folder: Path) -> None:
    os.utime(folder / "a", ns=(LONG_AGO_NS, LONG_AGO_NS))
    read(folder)
    (folder / "a").write_text("x")
    os.utime(folder / "a", ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert read(folder)["a"] == expect(a="x")["a"]


def test_a_file_that_was_just_written_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "_REST_NS", 3600 * 10**9)
    read(folder)
    forge_checksum_of_a(folder)
    assert read(folder) == expect(a="a", b="b", c="c")


def test_a_folder_of_few_files_has_no_cache(folder: Path) -> None:
    (folder / "c").unlink()
    assert read(folder) == expect(a="a", b="b")
    assert find_caches(folder) == []


def test_files_that_come_and_go_are_followed(folder: Path) -> None:
    read(folder)
    (folder / "a").rename(folder / "d")
    assert read(folder) == expect(b="b", c="c", d="a")
    (folder / "a").write_text("new")
    assert read(folder) == expect(a="new", b="b", c="c", d="a")


@pytest.mark.parametrize("text", ["", "\n", "a", "a\n", "a\n1 2 3 4\n", "\xff\n"])
def test_a_cache_that_is_none_is_made_again(folder: Path, text: str) -> None:
    read(folder)
    (cache,) = find_caches(folder)
    cache.write_text(text, encoding="latin-1")
    assert read(folder) == expect(a="a", b="b", c="c")


def test_a_cache_that_cannot_be_written_hinders_nothing(folder: Path) -> None:
    (folder.parent / "cache").write_text("a file where the folder should be")
    assert read(folder) == expect(a="a", b="b", c="c")


def test_a_user_without_a_home_has_no_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    assert read(folder) == expect(a="a", b="b", c="c")


def test_two_folders_have_a_cache_each(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    for name in ("a", "b", "c"):
        (other / name).write_text(f"other {name}")
    read(folder)
    read(other)
    assert read(folder) == expect(a="a", b="b", c="c")
    assert len(find_caches(folder)) == 2


def test_a_file_that_is_gone_is_a_problem_and_no_crash(folder: Path) -> None:
    entries = list_entries(folder)
    (folder / "b").unlink()
    found, problems = read_checksums(folder, entries)
    assert sorted(found) == ["a", "c"]
    assert problems == ["b: No such file or directory"]
