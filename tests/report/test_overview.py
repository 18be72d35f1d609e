"""Several environments side by side: in a terminal of any width, and as plain lines."""

import re

import pytest

from tasks.console import describe
from tasks.console.cells import width
from tasks.runner.events import EnvironmentStatus, StatusesRead, StatusRow
from tests.report.samples import ASSETS, SEARCH, STATUSES, USERS
from tests.report.terminals import open_terminal, show_screen

UNREACHED = ["❌ prod could not be reached: cannot connect to gaia@prod/gaia", "   Next:  Is the network up?"]


def read_screen(name: str, columns: int) -> tuple[str, list[str]]:
    """Return the raw output of a report and the screen that a user sees."""
    with open_terminal(name, columns=columns) as terminal:
        terminal.finish()
        return terminal.output, show_screen(terminal.output)


def read_cells(screen: list[str]) -> dict[str, list[str]]:
    """Return the cells of the table by version."""
    rows = (re.split(r"  +", line) for line in screen)
    return {row[0]: row[1:] for row in rows if row[0].startswith("2025")}


def test_plain_lines_have_a_row_for_each_version_and_the_errors_below() -> None:
    lines = describe(STATUSES)
    assert lines[:3] == [
        "dev, staging, prod: 6 of 9 versions (the newest, and all that are not applied); times are UTC",
        "",
        f"{'version':36}{'dev':18}{'staging':18}prod",
    ]
    assert read_cells(lines) == {
        USERS: ["2025-07-01 10:00", "2025-07-01 10:00", "not reached"],
        ASSETS: ["-", "late", "not reached"],
        "20250703080000_create_chat": ["-", "edited", "not reached"],
        "20250704080000_create_rbac": ["-", "missing", "not reached"],
        "20250705080000_create_personas": ["-", "interrupted", "not reached"],
        SEARCH: ["2025-11-22 12:00", "failed", "not reached"],
    }
    assert lines[-6:] == [
        "dev: 2 applied",
        "staging: 1 applied, 1 pending, 1 late, 1 edited, 1 missing, 1 interrupted",
        f"⚠️  staging: {ASSETS}: older than the newest applied",
        "⚠️  staging: 20250705080000_create_personas: 2 of 3 segments done",
        *UNREACHED,
    ]


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (StatusRow("1", "applied"), "applied"),
        (StatusRow("1", "applied", "2025-07-01T10:00:00Z", failed=True), "rollback failed"),
        (StatusRow("1", "interrupted", failed=True), "interrupted"),
        (StatusRow("1", "failed", failed=True), "failed"),
    ],
)
def test_a_cell_shows_the_most_important_state(row: StatusRow, cell: str) -> None:
    assert describe(StatusesRead((EnvironmentStatus("dev", "", (row,)),), 1))[3] == f"1        {cell}"


def test_what_may_not_be_read_is_named() -> None:
    partly = EnvironmentStatus("dev", "", (), unknown="drift is not known: no privilege to read t")
    assert describe(StatusesRead((partly,), 0))[-1] == "⚠️  dev: drift is not known: no privilege to read t"


def test_without_versions_there_is_no_table() -> None:
    nothing = StatusesRead((EnvironmentStatus("dev", "", ()), EnvironmentStatus("prod", "no", ())), 0)
    assert describe(nothing) == ["dev, prod: 0 versions; times are UTC", "", "❌ prod could not be reached: no"]


def test_a_wide_terminal_shows_the_same_in_colour() -> None:
    output, screen = read_screen("side-by-side", 120)
    assert read_cells(screen) == read_cells(describe(STATUSES))
    assert screen[-2:] == UNREACHED
    for text, colour in (("2025-07-01 10:00", "32"), ("late", "35"), ("edited", "31"), ("failed", "31"), ("not reached", "31")):
        assert re.search(rf"\x1b\[{colour}m{text} *\x1b\[0m", output)


def test_a_narrower_terminal_shows_only_the_date() -> None:
    _, screen = read_screen("side-by-side", 75)
    assert read_cells(screen)[USERS] == ["2025-07-01", "2025-07-01", "not reached"]


def test_a_still_narrower_terminal_wraps_the_versions() -> None:
    _, screen = read_screen("side-by-side", 64)
    rows = read_cells(screen)
    assert [cells[0] for version, cells in rows.items() if SEARCH.startswith(version)] == ["2025-11-22"]
    assert SEARCH not in rows


def test_if_no_table_fits_each_version_is_a_paragraph() -> None:
    _, screen = read_screen("side-by-side", 45)
    place = screen.index(ASSETS)
    assert screen[place + 1] == "   dev -, staging late, prod not reached"


@pytest.mark.parametrize("name", ["side-by-side", "environments", "probe"])
@pytest.mark.parametrize("columns", [30, 64])
def test_nothing_is_wider_than_the_terminal(name: str, columns: int) -> None:
    _, screen = read_screen(name, columns)
    assert max(map(width, screen)) <= columns


def test_environments_are_a_table_without_empty_columns() -> None:
    output, screen = read_screen("environments", 80)
    assert [re.split(r"  +", line) for line in (screen[0], *screen[2:])] == [
        ["environment", "reached", "guarded", "alerts"],
        ["prod", "fly app gaia-prod", "guarded", "to 2 addresses"],
    ]
    assert "\x1b[33mguarded" in output


def test_checks_are_green_or_red_with_the_next_step() -> None:
    output, screen = read_screen("probe", 80)
    assert screen == [
        "✅ server version: PostgreSQL 18.1",
        "❌ ledger: no table schema_migrations",
        "   Next:  inv db.migrate makes it",
    ]
    assert "\x1b[32m✅ server version" in output
    assert "\x1b[31m❌ ledger" in output
