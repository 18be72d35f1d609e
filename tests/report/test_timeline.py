"""The timeline in the page of all environments: what it contains, and what a browser shows of it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.report.html import render_page
from tasks.report.timeline import page as page_module
from tasks.report.timeline.moments import list_moments
from tasks.report.timeline.page import render_timeline
from tasks.runner.events import EnvironmentStatus, HistoryRead, HistoryRow, StatusesRead, StatusRow
from tests.kit.browser import find_overlaps, open_browser
from tests.report.samples import FAILED_ROW, STATUSES
from tests.report.test_html import MALICIOUS, NOW, SANITISED, read

START = datetime(2025, 1, 1, tzinfo=UTC)
FINISHED = replace(FAILED_ROW, outcome="finished", sqlstate="", error="", duration_ms=4009)


def make_row(number: int, action: str = "migrate", outcome: str = "finished", *, after: timedelta | None = None) -> HistoryRow:
    """Return a row of the log, a day after the one before."""
    at = START + (timedelta(days=number) if after is None else after)
    base = FAILED_ROW if outcome == "failed" else FINISHED
    version = f"2025{number:010}_change_{number}"
    return replace(base, id=number, action=action, outcome=outcome, version=version, at=at.strftime("%Y-%m-%dT%H:%M:%SZ"))


def make_history(environment: str, *rows: HistoryRow) -> HistoryRead:
    """Return the log of an environment, newest first as it is read."""
    return HistoryRead(environment, "", rows[::-1])


def list_titles(page: str) -> list[str]:
    return [title for title in re.findall("<title>([^<]*)</title>", page) if title != "Migrations"]


def make_large_history(environment: str, number: int) -> HistoryRead:
    """Return a log in which every fiftieth migration fails at first, and every hundredth is rolled back."""
    rows = []
    for index in range(number):
        at = timedelta(hours=3 * index)
        rows += [make_row(index, outcome="failed", after=at)] if index % 50 == 0 else []
        rows.append(make_row(index, after=at))
        rows += [make_row(index, "rollback", after=at)] if index % 100 == 0 else []
    return make_history(environment, *rows)


def test_each_kind_of_moment_is_read_from_the_log() -> None:
    rows = (
        make_row(1, "adopt"),
        make_row(2),
        make_row(3, "rollback"),
        make_row(4, outcome="failed"),
        make_row(5, "rollback", "failed"),
        make_row(6, "load"),
    )
    others = (
        make_row(7, outcome="started"),
        make_row(8, "seed"),
        make_row(9, "repair"),
        replace(make_row(10), version=""),
        replace(make_row(11), at="yesterday"),
        replace(make_row(12), at="9999-12-31T23:59:59Z"),
        replace(make_row(13), at="0001-01-01T00:00:00Z"),
    )
    kinds = [moment.kind for moment in list_moments(make_history("dev", *rows, *others))]
    assert kinds == ["adopted", "applied", "rolled back", "failed", "failed", "adopted"]


def test_a_mark_names_version_time_person_and_duration() -> None:
    page = render_timeline([make_history("dev", make_row(1), make_row(30, outcome="failed"))])
    assert list_titles(page) == [
        "applied 20250000000001_change_1 at 2025-01-02 00:00:00 UTC by carl@laptop, 4 s",
        "failed 20250000000030_change_30 at 2025-01-31 00:00:00 UTC by carl@laptop, 3 ms: "
        "syntax error at or near &quot;TABEL&quot;",
    ]


def test_marks_that_would_overlap_are_one_with_their_number() -> None:
    rows = [make_row(number, after=timedelta(minutes=number)) for number in range(14)]
    page = render_timeline([make_history("dev", *rows, make_row(365))])
    [title, _] = list_titles(page)
    assert title.splitlines()[0] == "14 applied"
    assert title.splitlines()[-1] == "and 4 more"
    assert ">14</text>" in page


def test_the_entries_are_a_table_too_newest_first() -> None:
    rows = read(render_timeline([make_history("dev", make_row(1), make_row(3)), make_history("prod", make_row(2))])).rows
    assert [[text for text, _, _ in row[:4]] for row in rows] == [
        ["time", "environment", "what", "version"],
        ["2025-01-04 00:00:00", "dev", "applied", "20250000000003_change_3"],
        ["2025-01-03 00:00:00", "prod", "applied", "20250000000002_change_2"],
        ["2025-01-02 00:00:00", "dev", "applied", "20250000000001_change_1"],
    ]


def test_the_image_is_described_in_words() -> None:
    page = render_timeline([make_history("dev", make_row(1), make_row(2), make_row(3, "rollback")), make_history("prod")])
    assert 'role="img" aria-label="dev: 2 applied, 1 rolled back; prod: no entries"' in page


def test_a_log_that_cannot_be_read_is_explained() -> None:
    page = read(
        render_page(STATUSES, NOW, [HistoryRead("prod", "", (), unknown="no privilege"), make_history("dev", make_row(1))])
    )
    assert "prod: the history is not shown: no privilege" in page.paragraphs
    assert "The log is empty." in render_timeline([make_history("dev")])


def test_it_is_stated_if_only_the_newest_entries_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_ROWS", 2)
    page = render_timeline([make_history("dev", make_row(1), make_row(2))])
    assert "only the newest 2 entries of the log were read" in page


def test_text_from_a_log_is_escaped() -> None:
    row = replace(make_row(1, outcome="failed"), version=MALICIOUS, actor=MALICIOUS, host=MALICIOUS, error=MALICIOUS)
    page = read(render_timeline([make_history(MALICIOUS, row), HistoryRead("x", "", (), unknown=MALICIOUS)]))
    assert "script" not in page.tags
    assert [text for text, _, _ in page.rows[1]][1] == SANITISED


def test_a_browser_shows_5000_migrations_without_overlaps_on_a_narrow_and_a_wide_screen(tmp_path: Path) -> None:
    rows = tuple(
        StatusRow(f"2025{number:010}_change_{number}", "applied", "2025-01-01T00:00:00Z", "carl", 1) for number in range(9)
    )
    overview = StatusesRead((EnvironmentStatus("dev", "", rows),), len(rows))
    histories = [make_large_history("dev", 5000), make_large_history("staging", 300), make_history("prod", make_row(9, "adopt"))]
    page = render_page(overview, NOW, histories)
    for texts in open_browser(tmp_path).read_texts(page, 400, 1200):
        shown = [text.text for text in texts]
        assert {"History", "dev", "staging", "prod", "applied", "rolled back", "failed", "adopted", "2025-01-01"} <= set(shown)
        assert shown[shown.index("applied") + 1] == "125"
        assert sum(text.isdigit() for text in shown) < 200
        assert find_overlaps(texts) == []
        assert all(text.inside for text in texts)


def test_the_colours_of_the_page_follow_the_viewer(tmp_path: Path) -> None:
    browser, page = open_browser(tmp_path), render_page(STATUSES, NOW, [make_history("dev", make_row(1))])
    shown = [browser.read_texts(page, 400, dark=dark)[0] for dark in (False, True)]
    assert [texts[0].color for texts in shown] == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
