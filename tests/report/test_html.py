"""The HTML page of all environments, read with an HTML parser."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tasks.report.html import render_page, write_page
from tasks.report.prometheus import write_gauges
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, StatusesRead, StatusRow
from tests.report.samples import ASSETS, SEARCH, STATUSES, USERS

NOW = datetime(2025, 11, 22, 12, 34, tzinfo=UTC)
MALICIOUS = "<script>alert('&amp;')</script>\"\x1b[31m"
SANITISED = "<script>alert('&amp;')</script>\""
_VOID = {"meta", "br"}


@dataclass
class Page(HTMLParser):
    """A parser that collects the rows of cells (text, class and title), and the text of the paragraphs."""

    rows: list[list[tuple[str, str, str]]] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Start a row, a cell or a paragraph."""
        self.tags.add(tag)
        if tag not in _VOID:
            self._open.append(tag)
        attributes = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append(("", attributes.get("class", ""), attributes.get("title", "")))
        elif tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        """End the innermost element. Raise AssertionError if another one is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Add to the text of the cell or paragraph."""
        if self._open and self._open[-1] in ("th", "td"):
            text, kind, title = self.rows[-1][-1]
            self.rows[-1][-1] = (text + data, kind, title)
        elif "p" in self._open:
            self.paragraphs[-1] += data


def read(text: str) -> Page:
    """Parse a page, and assert that it is well-formed."""
    page = Page()
    page.feed(text)
    page.close()
    assert page._open == []
    return page


def test_every_cell_has_its_text_and_class() -> None:
    page = read(render_page(STATUSES, NOW))
    assert [text for text, _, _ in page.rows[0]] == ["version", "dev", "staging", "prod"]
    cells = {row[0][0]: [(text, kind) for text, kind, _ in row[1:]] for row in page.rows[1:]}
    unreached, unknown = ("not reached", "unreached"), ("-", "none")
    assert cells == {
        USERS: [("2025-07-01 10:00", "applied"), ("2025-07-01 10:00", "applied"), unreached],
        ASSETS: [unknown, ("late", "late"), unreached],
        "20250703080000_create_chat": [unknown, ("edited", "edited"), unreached],
        "20250704080000_create_rbac": [unknown, ("missing", "missing"), unreached],
        "20250705080000_create_personas": [unknown, ("interrupted", "interrupted"), unreached],
        SEARCH: [("2025-11-22 12:00", "applied"), ("failed", "failed"), unreached],
    }
    assert page.paragraphs == [
        "dev, staging, prod: 6 of 9 versions (the newest, and all that are not applied); times are UTC. "
        "Read at 2025-11-22 12:34 UTC.",
        "prod could not be reached: cannot connect to gaia@prod/gaiaIs the network up?",
    ]


def test_the_title_of_a_cell_has_the_details() -> None:
    page = read(render_page(STATUSES, NOW))
    titles = [title for row in page.rows for _, _, title in row if title]
    assert "applied; 2025-07-01 10:00:00; by carl" in titles
    assert "interrupted; 2 of 3 segments done" in titles


def test_text_from_a_database_is_escaped() -> None:
    row = StatusRow(MALICIOUS, MALICIOUS, "", MALICIOUS, 1, MALICIOUS)
    overview = StatusesRead((EnvironmentStatus(MALICIOUS, "", (row,)), EnvironmentStatus("prod", MALICIOUS, (), MALICIOUS)), 1)
    page = read(render_page(overview, NOW))
    assert "script" not in page.tags
    assert [text for text, _, _ in page.rows[0]] == ["version", SANITISED, "prod"]
    assert page.rows[1][:2] == [(SANITISED, "", ""), (SANITISED, SANITISED, f"{SANITISED}; by {SANITISED}; {SANITISED}")]
    assert page.paragraphs[1] == f"prod could not be reached: {SANITISED}{SANITISED}"


def test_the_page_loads_no_other_resources() -> None:
    text = render_page(STATUSES, NOW)
    assert "http" not in text
    assert "src=" not in text


def test_a_page_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"nowhere/p\.html cannot be written: No such file or directory") as failed:
        write_page(STATUSES, tmp_path / "nowhere" / "p.html")
    assert "--html" in failed.value.hint


@pytest.mark.parametrize("write", [write_page, write_gauges], ids=["page", "gauges"])
def test_a_link_is_not_written_through(tmp_path: Path, write: Callable[[StatusesRead, Path], None]) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "link").symlink_to("precious")
    with pytest.raises(RunnerError, match="link is a link to precious"):
        write(STATUSES, tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "precious"]
    assert (tmp_path / "precious").read_text() == "precious"
