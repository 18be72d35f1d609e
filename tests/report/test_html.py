"""The page of all environments, read by an HTML parser."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tasks.report.html import render_page, write_page
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, StatusesRead, StatusRow
from tests.report.samples import ASSETS, SEARCH, STATUSES, USERS

NOW = datetime(2025, 11, 22, 12, 34, tzinfo=UTC)
EVIL = "<script>alert('&amp;')</script>\"\x1b[31m"
SHOWN = "<script>alert('&amp;')</script>\""
_VOID = {"meta", "br"}


@dataclass
class Page(HTMLParser):
    """Read a page: its rows of cells, each with text, class and title, and the text of its paragraphs."""

    rows: list[list[tuple[str, str, str]]] = field(default_factory=list)
    paragraphs: list[str] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row, a cell or a paragraph."""
        self.tags.add(tag)
        if tag not in _VOID:
            self._open.append(tag)
        given = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append(("", given.get("class", ""), given.get("title", "")))
        elif tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        """End the innermost element; fails where another is open."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Add to the text of the cell or paragraph."""
        if self._open and self._open[-1] in ("th", "td"):
            text, kind, title = self.rows[-1][-1]
            self.rows[-1][-1] = (text + data, kind, title)
        elif "p" in self._open:
            self.paragraphs[-1] += data


def read(text: str) -> Page:
    """Read a page that is well formed."""
    page = Page()
    page.feed(text)
    page.close()
    assert page._open == []
    return page


def test_every_cell_is_right() -> None:
    page = read(render_page(STATUSES, NOW))
    assert [text for text, _, _ in page.rows[0]] == ["version", "dev", "staging", "prod"]
    cells = {row[0][0]: [(text, kind) for text, kind, _ in row[1:]] for row in page.rows[1:]}
    gone, unknown = ("not reached", "unreached"), ("-", "none")
    assert cells == {
        USERS: [("2025-07-01 10:00", "applied"), ("2025-07-01 10:00", "applied"), gone],
        ASSETS: [unknown, ("late", "late"), gone],
        "20250703080000_create_chat": [unknown, ("edited", "edited"), gone],
        "20250704080000_create_rbac": [unknown, ("missing", "missing"), gone],
        "20250705080000_create_personas": [unknown, ("interrupted", "interrupted"), gone],
        SEARCH: [("2025-11-22 12:00", "applied"), ("failed", "failed"), gone],
    }
    assert page.paragraphs == [
        "dev, staging, prod: the newest 6 of 9 versions; times are UTC. Read at 2025-11-22 12:34.",
        "prod could not be reached: cannot connect to gaia@prod/gaiaIs the network up?",
    ]


def test_pointing_at_a_cell_tells_who_when_and_why() -> None:
    page = read(render_page(STATUSES, NOW))
    titles = [title for row in page.rows for _, _, title in row if title]
    assert "applied; 2025-07-01 10:00:00; by carl" in titles
    assert "interrupted; 2 of 3 segments done" in titles


def test_what_a_database_supplied_is_shown_and_not_obeyed() -> None:
    row = StatusRow(EVIL, EVIL, "", EVIL, 1, EVIL)
    overview = StatusesRead((EnvironmentStatus(EVIL, "", (row,)), EnvironmentStatus("prod", EVIL, (), EVIL)), 1)
    page = read(render_page(overview, NOW))
    assert "script" not in page.tags
    assert [text for text, _, _ in page.rows[0]] == ["version", SHOWN, "prod"]
    assert page.rows[1][:2] == [(SHOWN, "", ""), (SHOWN, SHOWN, f"{SHOWN}; by {SHOWN}; {SHOWN}")]
    assert page.paragraphs[1] == f"prod could not be reached: {SHOWN}{SHOWN}"


def test_the_page_needs_nothing_else() -> None:
    text = render_page(STATUSES, NOW)
    assert "http" not in text
    assert "src=" not in text


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match=r"nowhere/p\.html cannot be written: No such file or directory") as failed:
        write_page(STATUSES, tmp_path / "nowhere" / "p.html")
    assert "--html" in failed.value.hint
