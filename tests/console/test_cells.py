"""Text from a database on a terminal: cleaned, measured, truncated, and marked with a caret."""

import pytest

from tasks.console.cells import clean, clean_lines, cut, first_line, pad, point_at, width

FAMILY = "👨‍👩‍👧"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain – größe 表 🌱", "plain – größe 表 🌱"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Htop", "top"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("\x1b]0;never ended", "0;never ended"),
        ("a\nb\tc\r\nd", "a b c  d"),
        ("bell\x07 back\x08 null\x00", "bell back null"),
        ("right\u202eleft", "rightleft"),
        ("lone \udc80", "lone \ufffd"),
        (f"family {FAMILY}\n", f"family {FAMILY}"),
    ],
)
def test_control_characters_are_removed(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_lines_keep_their_indentation_and_lose_trailing_space() -> None:
    assert clean_lines("\n  one\r\n\ttwo  \n\n") == ["  one", "    two"]


def test_an_escape_sequence_ends_with_its_line() -> None:
    assert clean_lines("a\x1b[31m\nb\x1b[0m") == ["a", "b"]


def test_an_empty_text_has_no_lines() -> None:
    assert clean_lines("") == []


def test_the_first_line_of_a_statement_is_the_first_that_is_not_blank() -> None:
    assert first_line("\n  \n  CREATE TABLE users (\n id int)") == "CREATE TABLE users ("


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("größe", 5),
        ("e\u0301", 1),
        ("表表", 4),
        ("ｆｕｌｌ", 8),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),
        ("🌱", 2),
        ("👍🏽", 2),
        (FAMILY, 2),
        ("❤️", 2),
        ("zero\u200bwidth", 9),
    ],
)
def test_the_width_of_a_text_is_measured_in_cells(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long", 7, "too lo…"),
        ("表表表", 6, "表表表"),
        ("表表表", 5, "表表…"),
        ("表表表", 4, "表…"),
    ],
)
def test_a_long_text_is_truncated_to_a_number_of_cells(text: str, cells: int, shown: str) -> None:
    assert cut(text, cells) == shown
    assert width(shown) <= cells


def test_padding_counts_cells() -> None:
    assert pad("表", 4) + "|" == "表  |"


@pytest.mark.parametrize(
    ("source", "column", "shown", "caret"),
    [
        ("SELECT 1", 1, "SELECT 1", "^"),
        ("CREATE TABEL users (", 8, "CREATE TABEL users (", "       ^"),
        ("SELECT (", 9, "SELECT (", "        ^"),
        ("SELECT (", 99, "SELECT (", "        ^"),
        ("SELECT 1", 0, "SELECT 1", ""),
        ("\tSELEC 1", 2, "    SELEC 1", "    ^"),
        ("a\tSELEC 1", 3, "a   SELEC 1", "    ^"),
        ("\t\tx", 2, "        x", "    ^"),
        ("'表表' SELEC", 6, "'表表' SELEC", "       ^"),
        ("'🌱' SELEC", 5, "'🌱' SELEC", "     ^"),
        (f"'{FAMILY}' SELEC", 9, f"'{FAMILY}' SELEC", "     ^"),
        ("'e\u0301' SELEC", 6, "'e\u0301' SELEC", "    ^"),
        ("e\u0301x", 2, "e\u0301x", "^"),
        ("\x1b[31mSELEC", 6, "\ufffd[31mSELEC", "     ^"),
        ("a\u202eSELEC", 3, "a\ufffdSELEC", "  ^"),
        ("a\x00b", 3, "a\ufffdb", "  ^"),
    ],
)
def test_the_caret_is_below_its_column(source: str, column: int, shown: str, caret: str) -> None:
    assert point_at(source, column, 80) == (shown, caret)


@pytest.mark.parametrize("column", [1, 2, 20, 30, 40, 500, 980, 995, 1000, 1001, 5000])
@pytest.mark.parametrize("unit", ["abcdefghij", "a\tbc", "表x", "🌱", "e\u0301"])
@pytest.mark.parametrize("cells", [20, 33, 80])
def test_a_long_line_is_shown_only_around_the_caret(column: int, unit: str, cells: int) -> None:
    source = (unit * 1001)[:1000]
    shown, caret = point_at(source, column, cells)
    assert cells - 5 < width(shown) <= cells
    assert width(caret) <= cells + 1
    assert "…" in shown


def test_a_truncated_line_contains_the_word_at_the_caret() -> None:
    source = "SELECT " + "a, " * 400 + "FORM users " + "-- " * 400
    shown, caret = point_at(source, source.index("FORM") + 1, 60)
    assert shown[len(caret) - 1 :].startswith("FORM users")
    assert (shown[0], shown[-1]) == ("…", "…")


def test_a_line_of_a_megabyte_is_truncated() -> None:
    shown, caret = point_at("x" * 1_000_000 + "!" + "x" * 1_000_000, 1_000_001, 60)
    assert shown[len(caret) - 1] == "!"
