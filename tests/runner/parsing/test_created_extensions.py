"""The extensions that a file creates are found in its text."""

import pytest

from tasks.runner.parsing.created_extensions import list_created_extensions


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CREATE EXTENSION vector;", ("vector",)),
        ('create extension\nif not exists "uuid-ossp" WITH SCHEMA x; CREATE EXTENSION PGCRYPTO', ("uuid-ossp", "pgcrypto")),
        ("CREATE EXTENSION a; CREATE /* two */ EXTENSION -- lines\n a;", ("a",)),
        ("DO $x$ BEGIN IF true THEN CREATE EXTENSION a; END IF; END $x$;", ("a",)),
        ("DO $$ BEGIN EXECUTE 'CREATE EXTENSION a'; -- CREATE EXTENSION b\nEND $$;", ("a",)),
        ("-- CREATE EXTENSION a\n/* CREATE EXTENSION b */ SELECT 1;", ()),
        ("DROP EXTENSION a; CREATE TABLE extension ();", ()),
    ],
)
def test_the_extensions_that_a_text_creates_are_found(text: str, names: tuple[str, ...]) -> None:
    assert list_created_extensions(text) == names
