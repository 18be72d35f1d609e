"""A diagram in Markdown: its text, and what Mermaid makes of it in a browser."""

import re
from pathlib import Path

import pytest

from tasks.catalog import Difference
from tasks.diagram.build import build_diagram
from tasks.diagram.mermaid import MOST_CHARACTERS, MOST_KEYS, render_markdown
from tasks.diagram.model import Diagram, DrawnColumn, DrawnTable, ForeignKey
from tasks.postgres.quoting import quote_identifier
from tests.diagram.drawing import ODD_NAMES, create_odd_tables, draw, make_schema, quote, write
from tests.kit.browser import open_browser
from tests.kit.databases import Database

TABLES = """
CREATE TABLE users (id bigint PRIMARY KEY, email varchar(255) UNIQUE, price numeric(10,2));
CREATE TABLE orders (id uuid PRIMARY KEY, user_id bigint NOT NULL REFERENCES users, parent uuid REFERENCES orders);
CREATE TABLE profiles (user_id bigint PRIMARY KEY REFERENCES users);
"""


def list_diagrams(markdown: str) -> list[str]:
    """Return the texts of the Mermaid blocks."""
    return re.findall(r"^```mermaid\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)


def test_tables_and_foreign_keys_are_an_er_diagram(database: Database) -> None:
    diagram = draw(
        database,
        TABLES,
        """ALTER TABLE users ADD COLUMN phone text, ALTER COLUMN price TYPE bigint;
        ALTER TABLE profiles DROP CONSTRAINT profiles_user_id_fkey;
        CREATE TABLE t (x bigint REFERENCES users);""",
    )
    assert list_diagrams(render_markdown(diagram, "", ())) == [
        """erDiagram
    "users"["users (~ changed)"] {
        bigint id PK
        varchar(255) email UK
        bigint price "~ changed, was numeric(10,2)"
        text phone "+ new"
    }
    "orders" {
        uuid id PK
        bigint user_id FK
        uuid parent FK
    }
    "profiles"["profiles (~ changed)"] {
        bigint user_id PK, FK
    }
    "t"["t (+ new)"] {
        bigint x FK
    }
    "orders" |o--o{ "orders" : "parent"
    "users" ||--o{ "orders" : "user_id"
    "users" ||--o| "profiles" : "user_id (- dropped)"
    "users" |o--o{ "t" : "x"
"""
    ]


def test_the_changes_of_pending_migrations_are_a_diff_above_the_diagram() -> None:
    text = render_markdown(Diagram((DrawnTable("public.t"),)), "1 table, `a` <b>", ["+ table public.t", "    ```\x1b[31m"])
    assert text.startswith("## Tables and foreign keys\n\n1 table, \\`a\\` \\<b\\>\n\n```diff\n+ table public.t\n    ```")
    assert "\x1b" not in text


def test_a_schema_without_tables_has_no_diagram(database: Database, tmp_path: Path) -> None:
    assert list_diagrams(write(database, tmp_path / "x.md")) == []


def test_a_large_schema_becomes_several_diagrams_within_githubs_limits() -> None:
    diagram = build_diagram(make_schema(500), Difference())
    parts = list_diagrams(render_markdown(diagram, "", ()))
    assert len(parts) > 10
    assert max(map(len, parts)) <= MOST_CHARACTERS + 100
    assert max(part.count("--o{") for part in parts) <= MOST_KEYS
    assert sum(part.count("--o{") for part in parts) == len(diagram.keys)
    assert len(re.findall(r'^    "table_\d+" \{$', "".join(parts), re.MULTILINE)) == 500


def test_a_table_with_very_many_columns_or_foreign_keys_stays_within_the_limits() -> None:
    columns = tuple(DrawnColumn(f"column_with_a_rather_long_name_{number}", "varchar(255)") for number in range(1600))
    keys = tuple(
        ForeignKey(f"k{n}", "public.a", (f"c{n}",), "public.b", ("id",), optional=True, single=False) for n in range(900)
    )
    parts = list_diagrams(render_markdown(Diagram((DrawnTable("public.a", columns), DrawnTable("public.b")), keys), "", ()))
    assert max(map(len, parts)) <= MOST_CHARACTERS
    assert [part.count("--o{") for part in parts if "--o{" in part] == [400, 400, 100]
    assert "1500 more columns" in parts[0]


def test_mermaid_shows_the_names_marks_and_types_in_a_browser(database: Database, tmp_path: Path) -> None:
    diagram = draw(database, TABLES, "ALTER TABLE users ADD COLUMN phone text")
    [shown] = open_browser(tmp_path).render_mermaid(list_diagrams(render_markdown(diagram, "", ())))
    assert shown["error"] == ""
    assert {"users (~ changed)", "orders", "profiles", "varchar(255)", "email", "UK", "numeric(10,2)", "+ new"} <= set(
        shown["labels"]
    )


def test_mermaid_renders_odd_names_as_text_in_a_browser(database: Database, tmp_path: Path) -> None:
    database.execute(create_odd_tables())
    diagrams = list_diagrams(write(database, tmp_path / "x.md"))
    rendered = open_browser(tmp_path).render_mermaid(diagrams)
    assert [shown["error"] for shown in rendered] == [""] * len(diagrams)
    assert not {"script", "img", "b", "i", "strong", "em", "a", "code", "ul", "ol"} & {
        tag for shown in rendered for tag in shown["tags"]
    }
    labels = {label for shown in rendered for label in shown["labels"]}
    expected = {quote_identifier(name).replace("\n", " ").replace("\u202e", "") for name in ODD_NAMES}
    assert expected - labels == set()


@pytest.mark.parametrize("name", ["pk", "FK", "uk-x", "1st", "", "a b", "<b>", "%", '"', "#", "}", "%%"])
def test_no_name_of_a_column_breaks_the_grammar_in_a_browser(tmp_path: Path, name: str) -> None:
    column = DrawnColumn(quote(name), "text", ("PK", "FK"))
    [line] = [
        line
        for line in render_markdown(Diagram((DrawnTable("public.t", (column,)),)), "", ()).splitlines()
        if line.startswith("        ")
    ]
    assert re.fullmatch(r' {8}text [A-Za-z_][\w\-]* PK, FK(?: "[\w#;,.()+~ -]*")?', line)
