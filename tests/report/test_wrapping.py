"""Lines in a terminal: their colours, and how they are folded."""

from io import StringIO

from rich.console import Console, Group

from tasks.console.lines import Line
from tasks.report.wrapping import wrap_lines


def _print(*lines: Line, width: int = 40) -> str:
    stream = StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=width, highlight=False)
    console.print(Group(*wrap_lines(lines, console)))
    return stream.getvalue()


def test_sql_is_highlighted_also_in_strings_of_several_lines() -> None:
    printed = _print(Line("  SELECT 'a", "sql"), Line("", "sql"), Line("  FROM b';", "sql"))
    keyword = printed[: printed.index("SELECT")].rpartition("\x1b[")[2]
    assert keyword != printed[: printed.index("FROM")].rpartition("\x1b[")[2]
    assert keyword


def test_long_lines_of_sql_are_folded_and_not_cropped() -> None:
    printed = _print(Line(f"  SELECT '{'word ' * 20}';", "sql"))
    assert printed.count("word") == 20
    assert "…" not in printed


def test_a_folded_line_of_a_difference_is_indented_below_its_sign() -> None:
    assert (
        _print(Line("   ~ constraint users_email_key of public.users"))
        == "   ~ constraint users_email_key of \n     public.users\n"
    )


def test_only_what_stands_alone_in_parentheses_is_dim() -> None:
    assert _print(Line("✅ Applied (5 ms)")) == "✅ Applied \x1b[2m(5 ms)\x1b[0m\n"
    assert _print(Line("- character varying(255)")) == "- character varying(255)\n"
