"""A diagram as SVG: valid XML, and what a browser shows of it."""

from pathlib import Path
from xml.etree import ElementTree

from tasks.catalog import Catalog, Difference
from tasks.diagram.build import build_diagram
from tasks.diagram.model import Diagram, DrawnColumn, DrawnTable
from tasks.diagram.svg import render_svg
from tests.diagram.drawing import ODD_NAMES, create_odd_tables, draw, make_schema, quote, write
from tests.diagram.test_mermaid import TABLES
from tests.kit.browser import find_overlaps, open_browser
from tests.kit.databases import Database


def list_tags(text: str) -> set[str]:
    return {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}


def test_odd_names_are_text_in_a_valid_file(database: Database, tmp_path: Path) -> None:
    database.execute(create_odd_tables())
    text = write(database, tmp_path / "x.svg")
    assert list_tags(text) == {"svg", "title", "style", "rect", "text", "g", "path", "circle"}
    heads = {element.text for element in ElementTree.fromstring(text).iter() if element.get("class", "").startswith("name")}
    assert quote("<script>alert(1)</script>") in heads
    assert len(heads) == len(ODD_NAMES)


def test_what_xml_cannot_contain_is_replaced() -> None:
    text = render_svg(Diagram((DrawnTable("public.a\uffff\ufffe\x00\x01b", (DrawnColumn("\ud800", "x"),)),)), "")
    assert "a\ufffd\ufffdb" in "".join(ElementTree.fromstring(text).itertext())


def test_the_file_loads_nothing() -> None:
    text = render_svg(build_diagram(make_schema(3), Difference()), "")
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"') == 1
    assert "url(" not in text
    assert "script" not in text


def test_a_browser_shows_all_texts_without_overlaps_on_a_narrow_and_a_wide_screen(database: Database, tmp_path: Path) -> None:
    diagram = draw(
        database,
        f"{TABLES} CREATE TABLE old ();",
        "ALTER TABLE users ADD COLUMN phone text, ALTER COLUMN price TYPE bigint; CREATE TABLE t (id int); DROP TABLE old",
    )
    for texts in open_browser(tmp_path).read_texts(render_svg(diagram, "4 tables"), 400, 1200):
        shown = [text.text for text in texts]
        assert {"4 tables", "~ users", "+ t", "- old", "  email", "+ phone", "numeric(10,2) → bigint", "PK,FK"} <= set(shown)
        assert find_overlaps(texts) == []
        assert all(text.inside for text in texts)


def test_a_browser_shows_500_tables_without_overlaps(tmp_path: Path) -> None:
    [texts] = open_browser(tmp_path).read_texts(render_svg(build_diagram(make_schema(500, 4), Difference()), "500 tables"), 1200)
    assert sum(text.text.startswith("table_") for text in texts) == 500
    assert find_overlaps(texts) == []
    assert all(text.inside for text in texts)


def test_the_colours_follow_the_viewer(tmp_path: Path) -> None:
    browser = open_browser(tmp_path)
    page = render_svg(build_diagram(Catalog(make_schema(1).objects), Difference()), "1 table")
    light, dark = (browser.read_texts(page, 400, dark=dark)[0][0].fill for dark in (False, True))
    assert (light, dark) == ("rgb(31, 35, 40)", "rgb(230, 237, 243)")
