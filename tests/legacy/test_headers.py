"""Headers of old files: missing lines are added above, and no other byte changes."""

import pytest

from tasks.legacy.headers import add_header, describe_version

V = "20250101000000_add_users"
BOTH = b"-- Migration: 20250101000000_add_users.sql\n-- Description: Add users\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"SELECT 1;", BOTH + b"\nSELECT 1;"),
        (b"-- Users\nSELECT 1;", BOTH + b"\n-- Users\nSELECT 1;"),
        (b"", BOTH + b"\n"),
        (b"\xef\xbb\xbfSELECT 1;", b"\xef\xbb\xbf" + BOTH + b"\nSELECT 1;"),
        (b"-- \xff latin\nSELECT 1;", BOTH + b"\n-- \xff latin\nSELECT 1;"),
        (b"SELECT 1;\r\n", (BOTH + b"\n").replace(b"\n", b"\r\n") + b"SELECT 1;\r\n"),
        (b"-- Migration: users\nSELECT 1;", b"-- Description: Add users\n-- Migration: users\nSELECT 1;"),
        (b"SELECT 1;\n-- Migration: late\n", BOTH + b"\nSELECT 1;\n-- Migration: late\n"),
        (b"-- migration : x\n\n-- description: y\nSELECT 1;", b"-- migration : x\n\n-- description: y\nSELECT 1;"),
    ],
)
def test_missing_lines_are_added_above_the_existing_text(before: bytes, after: bytes) -> None:
    assert add_header(before, V, "Add users") == after
    assert add_header(after, V, "Add users") == after


def test_a_description_is_made_of_the_words_of_the_version() -> None:
    assert describe_version(V) == "Add users"
    assert describe_version(V, undoes=True) == "Undo: add users"
