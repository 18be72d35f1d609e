"""Annotations for GitHub: their format, and that no text can be taken for another workflow command."""

from pathlib import Path

import pytest

from tasks.console.streams import disarm
from tasks.report.annotations import Annotation, find_file, format_annotation, print_annotations

FORGED = "down fails\n::add-mask::x\r\n50%, a:b"


def test_a_message_of_several_lines_is_one_workflow_command(tmp_path: Path) -> None:
    text = format_annotation(Annotation("error", "db.verify", FORGED, tmp_path / "up" / "a.sql", 7), tmp_path)
    assert text == "::error file=up/a.sql,line=7,title=db.verify::down fails%0A::add-mask::x%0A50%25, a:b"


def test_a_property_cannot_add_another_property(tmp_path: Path) -> None:
    text = format_annotation(Annotation("warning", "a,line=9::b", "x", tmp_path / "a,b:c%.sql"), tmp_path)
    assert text == "::warning file=a%2Cb%3Ac%25.sql,line=1,title=a%2Cline=9%3A%3Ab::x"


def test_a_file_outside_the_repository_is_not_named(tmp_path: Path) -> None:
    text = format_annotation(Annotation("error", "db.verify", "x", tmp_path / "a.sql", 3), tmp_path / "repository")
    assert text == "::error title=db.verify::x"


def test_nothing_is_printed_outside_of_a_job_of_github(capsys: pytest.CaptureFixture[str]) -> None:
    print_annotations([Annotation("error", "db.verify", "x")], {})
    print_annotations([Annotation("error", "db.verify", "y")], {"GITHUB_ACTIONS": "true"})
    assert capsys.readouterr() == ("", "::error title=db.verify::y\n")


def test_the_file_of_a_direction_is_found_and_else_the_other(tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    up = tmp_path / "up" / "20250101000000_a.sql"
    up.touch()
    assert find_file(tmp_path, "20250101000000_a", "down") == up
    assert find_file(tmp_path, "../../etc/passwd") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::add-mask::x", "\\u003a:add-mask::x"),
        ("one\n  ::stop-commands::x", "one\n  \\u003a:stop-commands::x"),
        ("a ##[error]b", "a #\\u0023[error]b"),
        ("SELECT a::text", "SELECT a::text"),
    ],
)
def test_a_workflow_command_in_a_text_is_escaped(text: str, shown: str) -> None:
    assert disarm(text) == shown
