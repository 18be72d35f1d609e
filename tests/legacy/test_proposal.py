"""New names of old files: strictly increasing in the chosen order."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.legacy.proposal import propose_names
from tasks.legacy.reading.dates import FileDate
from tasks.legacy.reading.files import OldFile
from tasks.legacy.reading.names import read_name
from tasks.runner.files.versions import VERSION_PATTERN

DAY = datetime(2025, 1, 1, tzinfo=UTC)


def make(name: str) -> OldFile:
    return OldFile(Path(f"{name}.sql"), read_name(name))


def propose(*files: tuple[str, int], taken: tuple[str, ...] = (), given: dict[str, str] | None = None) -> list[str]:
    """Propose names for files with the day on which each was written."""
    dates = {Path(f"{name}.sql"): FileDate(DAY + timedelta(days=day), "git") for name, day in files}
    return list(propose_names([make(name) for name, _ in files], dates, taken=taken, given=given).values())


def test_a_file_is_named_by_its_date() -> None:
    assert propose(("001_a", 0), ("002_b", 1)) == ["20250101000000_a", "20250102000000_b"]


def test_a_file_that_is_older_than_the_one_before_it_gets_the_next_second() -> None:
    assert propose(("001_a", 5), ("002_b", 1), ("003_c", 5), ("004_d", 6)) == [
        "20250106000000_a",
        "20250106000001_b",
        "20250106000002_c",
        "20250107000000_d",
    ]


def test_timestamps_in_use_are_skipped() -> None:
    assert propose(("001_a", 0), taken=("20250101000000_x", "20250101000001_y")) == ["20250101000002_a"]


def test_a_version_in_order_is_kept_and_one_out_of_order_is_moved_behind() -> None:
    assert propose(("20250101000000_a", 0), ("001_b", 3), ("20250102000000_c", 1)) == [
        "20250101000000_a",
        "20250104000000_b",
        "20250104000001_c",
    ]


def test_an_earlier_decision_is_kept() -> None:
    assert propose(("001_a", 0), ("002_b", 0), given={"001_a": "20250201000000_a"}) == [
        "20250201000000_a",
        "20250201000001_b",
    ]


def test_names_increase_for_any_order_of_dates() -> None:
    for days in itertools.permutations(range(4)):
        versions = propose(*((f"{number:03}_x", day) for number, day in enumerate(days)))
        timestamps = [version[:14] for version in versions]
        assert timestamps == sorted(set(timestamps))
        assert all(VERSION_PATTERN.fullmatch(version) for version in versions)
