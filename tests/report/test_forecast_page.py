"""The page of a forecast: its content with an HTML parser, and its look in a browser."""

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.report.forecast.page import render_page, write_page
from tasks.runner.errors import RunnerError
from tests.kit.browser import find_overlaps, open_browser
from tests.report.forecasts import EVERYTHING, FORECAST, USERS, make_forecast, make_large_forecast, make_statement
from tests.report.test_html import MALICIOUS, NOW, read


def test_the_page_lists_the_worst_first_and_the_harmless_ones_last() -> None:
    rows = [[text for text, _, _ in row] for row in read(render_page(FORECAST, NOW)).rows]
    assert rows[0] == ["place", "verdict", "statement", "what waits, and why"]
    assert [row[1] for row in rows if row[0] != "place"] == [
        "loses about 12,000 rows",
        "blocks everything, for how long is not known",
        "blocks everything for about 4 to 12 s",
        "blocks writes for about 4 to 12 s",
        "harmless",
        "harmless",
    ]


def test_a_span_of_the_timeline_names_statement_and_end() -> None:
    page = render_page(FORECAST, NOW)
    assert (
        f"<title>reads and writes wait, to the end of {USERS}.sql:12\n{USERS}.sql:3: blocks everything for about 4 to 12 s\n"
        in page
    )
    assert "<script" not in page
    assert "http" not in page.partition("<body>")[2]


def test_text_from_files_and_databases_is_escaped() -> None:
    evil = make_statement(MALICIOUS, 1, MALICIOUS, MALICIOUS, {MALICIOUS: EVERYTHING}, not_known=(MALICIOUS,), scans=(MALICIOUS,))
    made = make_forecast([evil])
    page = read(render_page(replace(made, started=replace(made.started, environment=MALICIOUS, reason=MALICIOUS)), NOW))
    assert "script" not in page.tags


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="cannot be written"):
        write_page(FORECAST, tmp_path / "missing" / "page.html")


def test_a_browser_shows_the_timeline_without_overlaps_on_a_narrow_and_a_wide_screen(tmp_path: Path) -> None:
    for texts in open_browser(tmp_path).read_texts(render_page(FORECAST, NOW), 400, 1200):
        shown = [text.text for text in texts]
        assert {"Forecast for prod", "public.users", "public.events_2000_01 and 311 more partitions", "R", "W", "D"} <= set(shown)
        assert find_overlaps(texts) == []
        assert all(text.inside for text in texts)


def test_a_browser_shows_500_files(tmp_path: Path) -> None:
    (texts,) = open_browser(tmp_path).read_texts(render_page(make_large_forecast(500), NOW), 1200)
    assert find_overlaps(texts) == []
    assert all(text.inside for text in texts)
    assert sum(text.text.startswith("public.table_") for text in texts) >= 80
