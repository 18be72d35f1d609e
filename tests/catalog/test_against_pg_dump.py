"""pg_dump as an independent oracle: what differs in its text of a database, differs in the catalog."""

import subprocess
from collections.abc import Iterator

import pytest

from tasks.catalog import read_catalog
from tests.catalog.conftest import OTHER, READER, make_role, make_tablespace
from tests.catalog.dumped_statements import CHAPTERS, NOT_READ, Chapter
from tests.kit.databases import Database


def dump(database: Database) -> list[str]:
    """Return the schema as pg_dump writes it, without comments and without the key that differs in each dump."""
    program = database.server.cluster.programs / "pg_dump"
    command = [str(program), "--schema-only", f"--dbname={database.url}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if not line.startswith(("--", "\\"))]


def compare_effects(database: Database, chapter: Chapter) -> Iterator[tuple[str, bool, bool]]:
    """Run the statements of a chapter; yield each, whether pg_dump shows its effect, and whether the catalog does."""
    database.execute(chapter.setup)
    text, catalog = dump(database), database.ask(read_catalog)
    for statement in chapter.statements:
        database.execute(statement)
        text_before, text = text, dump(database)
        catalog_before, catalog = catalog, database.ask(read_catalog)
        yield statement, text != text_before, catalog != catalog_before


@pytest.mark.only_newest  # The statements are those of the newest version.
@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.title)
def test_what_pg_dump_shows_the_catalog_reads(database: Database, chapter: Chapter) -> None:
    make_tablespace(database)
    for role in (READER, OTHER):
        make_role(database, role)
    effects = list(compare_effects(database, chapter))
    assert {statement for statement, dumped, _ in effects if not dumped} == set()
    assert {statement for statement, _, read in effects if not read} == NOT_READ.keys() & set(chapter.statements)


def test_each_exception_is_a_statement_of_a_chapter() -> None:
    assert NOT_READ.keys() <= {statement for chapter in CHAPTERS for statement in chapter.statements}
