"""Large files: a run keeps neither their texts nor their statements in memory, and runs what it has read or nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.runner.errors import RunnerError
from tasks.runner.events import Event, StatementStarted, StepStarted
from tasks.runner.files import large_files
from tasks.runner.operations.migrate import RunMode, migrate
from tasks.runner.parsing.large import scan, text
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, Operator

MEGABYTE = 1024 * 1024
BASE_BYTES = 64 * MEGABYTE
"""What a run without large files may take: Python, psycopg and the parser take most of it."""
PEAK = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
TABLE = "CREATE TABLE t (id int, a text);\n"


def write_rows(size: int) -> str:
    row = "INSERT INTO t (id, a) VALUES (1, 'the quick brown fox jumps over the lazy dog, again and again');\n"
    return TABLE + row * (size // len(row))


def write_long_rows(size: int) -> str:
    rows = ",\n".join(["(1, 'the quick brown fox')"] * 20_000)
    statement = f"INSERT INTO t (id, a) VALUES\n{rows};\n"
    return TABLE + statement * (size // len(statement))


def write_copy(size: int) -> str:
    row = "1\tthe quick brown fox jumps over the lazy dog, again and again\n"
    return f"{TABLE}COPY t (id, a) FROM stdin;\n{row * (size // len(row))}\\.\n"


def write_literal(size: int) -> str:
    return f"{TABLE}INSERT INTO t VALUES (1, '{'x' * size}');\n"


FILES: dict[str, tuple[Callable[[int], str], int, int]] = {
    "small statements": (write_rows, 3 * MEGABYTE, BASE_BYTES + 9 * MEGABYTE),
    "long statements": (write_long_rows, 16 * MEGABYTE, BASE_BYTES),
    "copy": (write_copy, 32 * MEGABYTE, BASE_BYTES),
    "one literal": (write_literal, 16 * MEGABYTE, BASE_BYTES + 3 * 16 * MEGABYTE),
}
"""How a file is written, its size, and the most memory that a run may take: libpq itself makes two copies of a statement."""


def measure(project: Project, *arguments: str) -> int:
    """Run a command, and return the most bytes of memory that its process had at once."""
    return int(project.observe(PEAK, *arguments).rsplit("VmHWM:", 1)[1].split()[0]) * 1024


@pytest.mark.parametrize(("write", "size", "limit"), FILES.values(), ids=FILES)
def test_a_run_keeps_no_large_file_in_memory(
    write: Callable[[int], str], size: int, limit: int, project: Project, database: Database
) -> None:
    project.write_up(A, write(size))
    project.write_down(A, "DROP TABLE t;")
    assert measure(project, "--dry-run") < BASE_BYTES
    assert measure(project) < limit
    assert database.query("SELECT count(*) > 0 FROM t") == [(True,)]
    assert measure(project) < BASE_BYTES
    assert measure(project, "status") < BASE_BYTES


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator for the tests of files that are large because the limit is low."""
    return Operator(project, database)


@pytest.fixture(autouse=True)
def small_limits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat small files as large ones, but in the processes that the tests of memory start."""
    monkeypatch.setattr(text, "LARGE_FILE", 10)


CASES = {
    "statements": "CREATE TABLE t (a text);\nINSERT INTO t VALUES ('a;ä');\nINSERT INTO t VALUES (E'\\'');",
    "copy": "CREATE TABLE t (a text);\nCOPY t FROM stdin;\na;ä\n'\n\\.\n",
    "copy with carriage returns": "CREATE TABLE t (a text);\r\nCOPY t FROM stdin;\r\na;ä\r\n'\r\n\\.\r\n",
    "segments": "CREATE TABLE t (a text);\nBEGIN; INSERT INTO t VALUES ('a;ä'); COMMIT;\nVACUUM t;\nINSERT INTO t VALUES ('''');",
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_a_large_file_runs_as_a_small_one(content: str, operator: Operator) -> None:
    operator.write(A, content, "DROP TABLE t;\n-- as it was")
    operator.migrate()
    assert operator.database.query("SELECT a FROM t ORDER BY a") == [("'",), ("a;ä",)]
    assert operator.read_applied() == [A]
    operator.roll_back()
    assert operator.read_applied() == []


ERRORS = {
    "statement": ("SELECT 1;\n\nSELECT 'ä', nothing;", 3, 13),
    "first in a line": ("SELECT 1; SELECT 2; DROP TABLE nothing;", 1, 21),
    "block": ("SELECT 1;\nDO $$\nBEGIN\n  RAISE EXCEPTION 'no';\nEND $$;", 4, 0),
}


@pytest.mark.parametrize(("content", "line", "column"), ERRORS.values(), ids=ERRORS)
def test_the_error_of_a_statement_has_its_place(content: str, line: int, column: int, operator: Operator) -> None:
    operator.write(A, content)
    with pytest.raises(RunnerError) as raised:
        operator.migrate()
    place = raised.value.place
    assert place is not None
    assert (place.line, place.column, place.source) == (line, column, content.splitlines()[line - 1])


def test_the_row_that_a_copy_refuses_is_named(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE t (a int);\nCOPY t FROM stdin;\n1\nx\n\\.\n")
    with pytest.raises(RunnerError, match="That row is line 4 of "):
        operator.migrate()


def test_a_secret_in_a_large_file_is_not_shown(operator: Operator) -> None:
    operator.write(A, "SELECT 1;\nCREATE ROLE r\n PASSWORD 'geheim geheim' NOTHING;")
    with pytest.raises(RunnerError) as raised:
        operator.migrate()
    assert "geheim" not in f"{raised.value.message} {raised.value.hint} {raised.value.place}"


EDITS = {
    "statements": ("INSERT INTO t VALUES (2);\n", lambda event: isinstance(event, StepStarted)),
    "copy": (
        "COPY t FROM stdin;\n2\n\\.\n",
        lambda event: isinstance(event, StatementStarted) and event.text.startswith("COPY"),
    ),
}
"""What is edited, and at which event."""


@pytest.mark.parametrize(("row", "is_time"), EDITS.values(), ids=EDITS)
def test_a_file_that_is_edited_during_the_run_is_rolled_back(
    row: str, is_time: Callable[[Event], bool], operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (text, scan, large_files):
        monkeypatch.setattr(module, "BLOCK", 16)
    content = f"CREATE TABLE t (a int);\n{row}"
    operator.write(A, content)

    def run() -> None:
        for event in migrate(operator.make_runner(), MigrateGoal(), RunMode()):
            if is_time(event):
                operator.write(A, content.replace("2", "3"))

    with pytest.raises(RunnerError, match="was edited after the run had read it") as raised:
        run()
    assert "rolled back completely" in raised.value.state
    assert operator.database.query("SELECT to_regclass('t')") == [(None,)]
    assert operator.read_history()[0].outcome == "failed"


def test_a_file_that_is_no_text_at_its_end_is_refused(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    path = operator.project.write_up(A, b"CREATE TABLE t (a text);\nSELECT '\xff';")
    with pytest.raises(RunnerError, match=f"{Path(path).name}:2 is not UTF-8"):
        operator.migrate()
    monkeypatch.setattr("tasks.runner.files.large_files.MOST_WHOLE", 0)
    with pytest.raises(RunnerError, match=f"{Path(path).name}:2 is not UTF-8"):
        operator.migrate()
    assert operator.database.query("SELECT to_regclass('t')") == [(None,)]
