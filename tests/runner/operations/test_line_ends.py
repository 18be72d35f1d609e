"""A checkout with other line ends, or an editor that writes a byte order mark: the text is the same."""

from collections.abc import Callable

import pytest

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import Skipped
from tests.runner.operating import A, Operator, list_done, pick

UNIX = "CREATE TABLE a (\n  id int\n);\n-- ä\nSELECT 1;\n"
WINDOWS = UNIX.replace("\n", "\r\n")
MIXED = UNIX.replace("\n", "\r\n", 2)
MARKED = "\ufeff"


@pytest.mark.parametrize("has_text", [True, False], ids=["text", "checksum"])
@pytest.mark.parametrize(
    ("applied", "now"),
    [(UNIX, WINDOWS), (WINDOWS, UNIX), (UNIX, MARKED + UNIX), (MARKED + WINDOWS, UNIX), (WINDOWS, MARKED + UNIX), (UNIX, MIXED)],
    ids=["windows", "unix", "mark", "no_mark", "both", "mixed"],
)
def test_other_line_ends_or_a_byte_order_mark_are_no_edit(operator: Operator, applied: str, now: str, has_text: bool) -> None:
    operator.project.write_up(A, applied.encode())
    operator.migrate()
    if not has_text:
        operator.database.execute("DELETE FROM schema_migrations_scripts")
    operator.project.write_up(A, now.encode())
    assert pick(operator.migrate(), Skipped) == [Skipped((A,))]
    assert [(row.state, row.note) for row in operator.read_status().rows] == [("applied", "")]
    operator.project.write_up(A, now.encode() + b"SELECT 2;")
    with pytest.raises(RefusedError, match="differs from the text that was applied"):
        operator.migrate()


@pytest.mark.parametrize("now", [UNIX.replace("\n", "\r"), UNIX.replace("\n", "  \n"), UNIX + "\n\n"])
def test_an_edit_that_a_diff_cannot_show_is_described(operator: Operator, now: str) -> None:
    operator.project.write_up(A, UNIX.encode())
    operator.migrate()
    operator.project.write_up(A, now.encode())
    (finding,) = operator.read_status().findings
    assert finding.diff.splitlines()[0] == "only spaces or line ends differ"


def test_mixed_line_ends_are_recognised_from_the_stored_text(operator: Operator) -> None:
    operator.project.write_up(A, MIXED.encode())
    operator.migrate()
    operator.project.write_up(A, UNIX.encode())
    assert operator.read_status().findings == ()
    operator.project.write_up(A, MIXED.replace("int", "text").encode())
    assert [finding.kind for finding in operator.read_status().findings] == ["edited"]


def test_a_seed_with_other_line_ends_does_not_run_again(operator: Operator) -> None:
    for text, done in ((UNIX, ["001_a"]), (WINDOWS, []), (MARKED + UNIX, []), ("SELECT 2;\n", ["001_a"])):
        operator.project.write_seed("001_a", text.encode())
        assert list_done(operator.seed()) == done


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: MARKED + text], ids=["windows", "mark"])
def test_a_migration_resumes_with_other_line_ends(operator: Operator, change: Callable[[str], str]) -> None:
    text = "-- migrate: no-transaction\nCREATE TABLE a (\n  id int);\nSELECT 1 /\n 0;\n"
    operator.project.write_up(A, text)
    with pytest.raises(StatementError):
        operator.migrate()
    operator.project.write_up(A, change(text.replace("0;", "1;")).encode())
    assert list_done(operator.migrate()) == [A]
