"""The note in the log that lets a later run divide a file as the server required it."""

import pytest

from tasks.runner.parsing import Script, read_script
from tasks.runner.planning.separations import describe_separations, restore_separations


def read(text: str) -> Script:
    return read_script(text, file="f.sql", version="v")


def show(script: Script) -> list[str]:
    texts = ["; ".join(statement.text for statement in segment.statements) for segment in script.segments]
    return [f"[{text}]" if segment.transactional else text for segment, text in zip(script.segments, texts, strict=True)]


NOTE = describe_separations(read("TABLE a; CALL p(); TABLE b"), {2})


@pytest.mark.parametrize(
    ("text", "done", "segments", "separated"),
    [
        ("TABLE a; CALL p(); TABLE b", 0, ["[TABLE a]", "CALL p()", "[TABLE b]"], {2}),
        ("TABLE a; CALL p(); TABLE c", 2, ["[TABLE a]", "CALL p()", "[TABLE c]"], {2}),
        ("TABLE a; CALL q(); TABLE b", 1, ["[TABLE a]", "[CALL q(); TABLE b]"], set()),
        ("TABLE a; CALL q(); TABLE b", 0, ["[TABLE a; CALL q(); TABLE b]"], set()),
        ("BEGIN; TABLE a; CALL p(); COMMIT", 0, ["[TABLE a; CALL p()]"], {2}),
        ("TABLE a", 1, ["[TABLE a]"], set()),
    ],
)
def test_a_file_is_divided_as_in_the_attempt(text: str, done: int, segments: list[str], separated: set[int]) -> None:
    script, numbers = restore_separations(read(text), NOTE, done=done)
    assert (show(script), set(numbers)) == (segments, separated)


@pytest.mark.parametrize("note", ["", "was 20250101000000_x", "outside a transaction: statement 0 (0123456789abcdef)"])
def test_other_notes_divide_nothing(note: str) -> None:
    script = read("TABLE a; TABLE b")
    assert restore_separations(script, note, done=1) == (script, frozenset())


def test_no_statement_needs_no_note() -> None:
    assert describe_separations(read("TABLE a"), ()) == ""
