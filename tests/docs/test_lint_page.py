"""docs/lint.md has one entry for each rule, as the table has it."""

from tests.docs import lint_page


def test_the_page_shows_the_current_rules() -> None:
    assert lint_page.rewrite(write=False), "python -m tests.docs --write"
