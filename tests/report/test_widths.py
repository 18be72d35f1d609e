"""Nothing is left out at any width: every fact of an event is on the screen, and nothing is wider than it."""

import io

import pytest
from rich.console import Console

from tasks.adopt.events import AdoptionRead, AdoptionRow
from tasks.console import describe
from tasks.console.cells import width
from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.legacy.events import CleanupPlanned, OldFileJudged
from tasks.report import adoption, cleanup
from tasks.report.wrapping import wrap_line
from tasks.runner.events import Event
from tests.report.samples import ASSETS, BLOCKERS, STATUSES, URL

VERSION = "20250101000000_create_a_table_with_a_rather_long_name"
EVENTS: dict[str, tuple[Event, tuple[str, ...]]] = {
    "adopt": (
        AdoptionRead(
            "prod", URL, (AdoptionRow(VERSION, "present", "found: table public.accounts, column public.a.b"),), True, False
        ),
        (VERSION, "present", "found: table public.accounts, column public.a.b"),
    ),
    "cleanup": (
        CleanupPlanned("old", (OldFileJudged("old/001_a.sql", VERSION, "2025-01-01T00:00:00Z", "git", "works", ""),), 1, 180_004),
        ("works", "old/001_a.sql", VERSION, "2025-01-01 00:00:00", "git"),
    ),
    "blockers": (
        BLOCKERS,
        (
            "2 sessions wait",
            "pid 123",
            "LOCK TABLE users",
            "inv db.blockers --env=prod --kill=123",
            "SELECT pg_terminate_backend(123);",
            "has waited 3 s for AccessExclusiveLock on public.users",
            "as gaia or as a superuser: SELECT pg_terminate_backend(124);",
            "ROLLBACK PREPARED 'transfer ''a''';",
            "pg_read_all_stats",
        ),
    ),
    "side by side": (STATUSES, (f"staging: {ASSETS}: older than the newest applied", "dev: 2 applied", "Is the network up?")),
}


@pytest.fixture(autouse=True, scope="module")
def messages() -> None:
    adoption.register_messages()
    cleanup.register_messages()


@pytest.mark.parametrize("cells", [60, 80, 100, 120])
@pytest.mark.parametrize("name", EVENTS)
def test_every_fact_is_shown(name: str, cells: int) -> None:
    event, facts = EVENTS[name]
    console = Console(file=io.StringIO(), width=cells)
    shown = "\n".join(wrap_line(line, console).plain for line in format_event(event, Style(width=cells)))
    if name != "side by side":
        assert max(map(width, shown.splitlines())) <= cells
    text = " ".join(shown.split())
    assert [fact for fact in facts if fact not in text] == []
    plain = " ".join(" ".join(describe(event)).split())
    assert [fact for fact in facts if fact not in plain] == []


def test_sessions_that_wait_for_a_session_are_below_it_and_each_is_described_once() -> None:
    lines = describe(BLOCKERS)
    places = [next(index for index, line in enumerate(lines) if f"pid {pid} (" in line) for pid in (123, 124, 125)]
    assert places == sorted(places)
    assert [len(lines[place]) - len(lines[place].lstrip()) for place in places] == [0, 3, 6]
    assert [sum(f"pid {pid} (" in line for line in lines) for pid in (123, 124, 125)] == [1, 1, 1]
