"""The findings of db.lint in terminals of different widths."""

import io

import pytest
from rich.console import Console

from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.lint.events import LintFound
from tasks.lint.model import SafeFile
from tasks.report.lint import register_messages
from tasks.report.wrapping import wrap_lines

UP = "CREATE INDEX CONCURRENTLY an_index_with_a_long_name ON a_table_with_a_long_name (a_column) WHERE a_column IS NOT NULL;"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_safe_migration_is_complete_at_any_width(width: int) -> None:
    register_messages()
    safe = (SafeFile("index_a_table", UP, "DROP INDEX CONCURRENTLY an_index_with_a_long_name;"),)
    found = LintFound("20260101000000_v", "up/20260101000000_v.sql", 1, "rule", "a reason", "https://www.postgresql.org/", safe)
    texts = wrap_lines(format_event(found, Style(width=width)), Console(file=io.StringIO(), width=width))
    assert UP in " ".join(" ".join(text.plain for text in texts).split())
    assert not any(text.no_wrap and text.cell_len > width for text in texts)
