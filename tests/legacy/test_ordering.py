"""The order of old files: by name, and where names are ambiguous, by which order works."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.legacy.ordering import Errors, Order, Replays, choose_order, settle_dates
from tasks.legacy.reading.dates import FileDate
from tasks.legacy.reading.files import OldFile
from tasks.legacy.reading.names import read_name
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tests.kit.servers import Server

DAY = datetime(2025, 1, 1, tzinfo=UTC)


def make(*names: str) -> dict[int, OldFile]:
    return {index: OldFile(Path(f"{name}.sql"), read_name(name)) for index, name in enumerate(names)}


def require(**needs: str) -> Callable[[Order], Errors]:
    """Return a replay in which a file, by its letter, works only after the files that it needs."""
    wanted = {ord(name) - ord("a"): {ord(each) - ord("a") for each in others} for name, others in needs.items()}

    def run(order: Order) -> Errors:
        errors: dict[int, RunnerError | None] = {}
        for index in order:
            done = {other for other, error in errors.items() if error is None}
            errors[index] = None if wanted.get(index, set()) <= done else RunnerError("fails")
        return errors

    return run


def test_files_that_all_work_are_ordered_by_name() -> None:
    chosen = choose_order(require(), make("001_a", "001_b", "c"), (0, 1, 2))
    assert (chosen.order, chosen.tried) == ((0, 1, 2), 1)
    assert "by name" in chosen.reasons[0]


def test_among_files_with_one_number_the_one_that_others_need_comes_first() -> None:
    chosen = choose_order(require(a="b"), make("001_a", "001_b", "002_c"), (0, 1, 2))
    assert chosen.order == (1, 0, 2)
    assert chosen.reasons[0] == "shares its number with another file; in this order 1 more file applies"
    assert 2 not in chosen.reasons


def test_files_with_different_numbers_are_not_reordered() -> None:
    assert choose_order(require(a="b"), make("001_a", "002_b"), (0, 1)).order == (0, 1)


def test_a_file_without_a_number_comes_first_if_the_others_need_it() -> None:
    chosen = choose_order(require(a="c", b="ac"), make("001_a", "002_b", "init", "other"), (0, 1, 2, 3))
    assert chosen.order == (2, 0, 1, 3)
    assert chosen.reasons[2] == "has no number; placed before the others, 2 more files apply"


def test_several_files_without_a_number_come_first_together() -> None:
    assert choose_order(require(a="bc"), make("001_a", "init", "more"), (0, 1, 2)).order == (1, 2, 0)


def test_a_file_with_a_version_keeps_its_place() -> None:
    files = make("001_a", "001_b")
    del files[0]
    assert choose_order(require(a="b"), files, (0, 1)).order == (0, 1)


def test_no_more_orders_are_tried_than_allowed() -> None:
    count = 0

    def run(order: Order) -> Errors:
        nonlocal count
        count += 1
        return dict.fromkeys(order, RunnerError("fails"))

    chosen = choose_order(run, make(*(f"001_{name}" for name in "abcdef")), tuple(range(6)), limit=10)
    assert (count, chosen.tried) == (10, 10)


def test_a_modification_time_is_limited_by_later_reliable_dates() -> None:
    files = list(make("init", "001_a", "002_b").values())
    days = ((400, "modification time"), (1, "git"), (400, "modification time"))
    dates = {file.path: FileDate(DAY + timedelta(days=day), source) for file, (day, source) in zip(files, days, strict=True)}  # type: ignore[arg-type]
    settled = settle_dates(files, dates)
    assert [settled[file.path].at for file in files] == [
        DAY + timedelta(days=1, seconds=-1),
        DAY + timedelta(days=1),
        dates[files[2].path].at,
    ]


MIGRATIONS = {
    0: RehearsedMigration("a", "CREATE TABLE a (id int);"),
    1: RehearsedMigration("b", "ALTER TABLE a ADD b int;"),
    2: RehearsedMigration("c", "BEGIN; CREATE TABLE c (); COMMIT; BEGIN; CREATE TABLE a (); COMMIT;"),
    3: RehearsedMigration("d", "CREATE TABLE c ();"),
}


@pytest.mark.parametrize(
    ("order", "working_files"),
    [((0, 1), {0, 1}), ((1, 0), {0}), ((2, 0, 1), {1, 2}), ((0, 2, 1), {0, 1}), ((1, 2), {2}), ((0, 2, 3), {0, 3})],
)
def test_a_file_that_fails_leaves_no_changes_for_later_files(embedded: Server, order: Order, working_files: set[int]) -> None:
    with ScratchServer(embedded.url()) as server, Replays(server, MIGRATIONS) as replays:
        errors = replays.run(order)
        assert {index for index, error in errors.items() if error is None} == working_files
        assert {index: error is None for index, error in replays.run(order).items()} == {
            index: error is None for index, error in errors.items()
        }
