"""A large file is scanned and parsed in parts: with the same result as a text that is read whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.runner.errors import RunnerError
from tasks.runner.files import large_files
from tasks.runner.files.large_files import read_large
from tasks.runner.parsing import ScriptError, read_script
from tasks.runner.parsing.large import scan, script, text
from tasks.runner.parsing.large.table import StatementTable
from tasks.runner.parsing.large.text import LargeText
from tasks.runner.parsing.script import Script, find_place, select

HERE = Path(__file__).parent
SIZES = {"cut in every token": (5, 1), "cut in statements": (37, 60), "in one part": (1 << 18, 1 << 17)}
"""The bytes of a block, and those of a part that is parsed at once."""
TEXTS = {
    "escapes": "SELECT E'it\\'s; --' \n 'more\\';' ; SELECT 'a''b;' || U&'\\0041;', \"q\"\"u;o\"; SELECT 1",
    "dollars": "DO $a$BEGIN PERFORM $b$;$a;$b$; END$a$; SELECT a$b$c FROM t; SELECT $1;",
    "comments": "-- a;\n/* b; /* c; */ ; */ SELECT 1 /* ; */ + 2 -- ;\n; SELECT 3 - -4 / 5;\r\n-- end",
    "words": "SELECT name'x;\\'; SELECT e_1, E'\\\\'; SELECT 1e5, 0x1F, 1.5; SELECT 'ä;' AS \u00e4;",
    "rule": "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM t; SELECT 1); SELECT 2;",
    "body": "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3;",
    "copy": "SELECT 1;\nCOPY t FROM stdin; -- rows\n'a;\\tb\n\\N\n\\.\nCOPY t (a) FROM STDIN;\r\nx\r\n\\.\r\nSELECT 1;",
    "copy to the end": "SELECT 1;\nCOPY t FROM stdin;\n1\n\\.x\n2",
    "no rows": "COPY t FROM stdin;\n\\.\n\nCOPY t FROM stdin;\n\\.",
    "transactions": "BEGIN; INSERT INTO t VALUES (1); COMMIT; VACUUM t; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT;",
    "settings": "SET search_path = a; SET LOCAL b.c = 1; SELECT set_config('a.b', 'c', false); SET lock_timeout = 1;",
    "mark": "\ufeff-- migrate: lock-timeout 2s\nSELECT 1;\nINSERT INTO t VALUES ('ö'),\n('x');\n\n DELETE FROM t",
    "spaces": "\f\v SELECT\t1\r;;;\r\n;SELECT 2;;",
    "psql": "SELECT 1;\n\\echo a\n",
    "rest of the line": "COPY t FROM stdin; SELECT 1;\n",
    "rollback": "SELECT 1;\nINSERT INTO t VALUES (1);\nROLLBACK;",
    "open": "BEGIN;\nSELECT 1;",
    "directive": "SELECT 1;\n-- migrate: no-transaction\n",
    "unwritten": "SELECT 1;\n/* NOT WRITTEN YET */",
}


def list_texts() -> Iterator[str]:
    """Yield the texts of the tests beside this one."""
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ";" in node.value:
                yield node.value.replace("\0", "")


def describe(script: Script) -> object:
    statements = [
        (s.text, s.line, s.offset, s.kind, s.transactional, s.data, s.target, s.pair, s.session, s.mark)
        for s in script.statements
    ]
    segments = [(len(s.statements), s.transactional, s.begin, s.checksum(timeouts=False)) for s in script.segments]
    return statements, segments, script.records_itself, script.lock_timeout_ms, script.sets_lock_timeout, script.kinds


def read_whole(content: str, shown: str) -> object:
    try:
        return describe(read_script(content, file=shown, version="v"))
    except ScriptError as error:
        return error


def read_parts(path: Path, content: str) -> object:
    """Return the same of the large way, or None for a text that only the small way reads."""
    path.write_bytes(content.encode())
    large = read_large(path, str(path))
    try:
        return None if large is None else describe(read_script(large, file=str(path), version="v"))
    except RunnerError as error:
        return error


@pytest.fixture(params=list(SIZES.values()), ids=list(SIZES))
def in_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read files in parts of a size; a text that has to be read whole is refused."""
    block, part = request.param
    for module in (text, scan, large_files):
        monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(script, "_CHUNK", part)
    monkeypatch.setattr(script, "MOST_WHOLE", 0)


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
@pytest.mark.usefixtures("in_parts")
def test_a_large_file_has_the_same_statements_and_errors(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    whole, parts = read_whole(content, str(path)), read_parts(path, content)
    if isinstance(whole, ScriptError):
        assert isinstance(parts, ScriptError)
        assert (parts.message, parts.hint, parts.place) == (whole.message, whole.hint, whole.place)
    else:
        assert parts == whole


@pytest.mark.usefixtures("in_parts")
def test_the_texts_of_the_other_tests_are_read_alike(tmp_path: Path) -> None:
    path, compared = tmp_path / "a.sql", 0
    for content in list_texts():
        whole, parts = read_whole(content, str(path)), read_parts(path, content)
        if parts is None or isinstance(parts, RunnerError):
            continue  # it is read whole, or refused
        compared += 1
        assert parts == whole, content
    assert compared > 100


def make_large(path: Path, content: str) -> LargeText:
    path.write_text(content)
    large = read_large(path, str(path))
    assert large is not None
    return large


def test_statements_are_found_by_place_and_kind(tmp_path: Path) -> None:
    large = make_large(tmp_path / "a.sql", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);\nDROP TABLE t;\n" * 3)
    statements = read_script(large, file="a.sql", version="v").statements
    assert isinstance(statements, StatementTable)
    assert [find_place(statements, each) for each in statements] == list(range(9))
    assert [each.line for each in select(statements, {"DropStmt"})] == [3, 6, 9]
    assert statements[-1] in statements
    assert statements[8] not in statements[:8]
    assert [each.kind for each in statements[3:5]] == ["CreateStmt", "InsertStmt"]


def test_a_statement_can_be_separated(tmp_path: Path) -> None:
    read = read_script(make_large(tmp_path / "a.sql", "SELECT 1; SELECT 2; SELECT 3;"), file="a.sql", version="v")
    divided = read.separate(2)
    assert [[each.text for each in segment.statements] for segment in divided.segments] == [
        ["SELECT 1"],
        ["SELECT 2"],
        ["SELECT 3"],
    ]
    assert [segment.transactional for segment in divided.segments] == [True, False, True]


def test_an_edited_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    statements = read_script(make_large(path, "SELECT 1; SELECT 2;"), file="a.sql", version="v").statements
    path.write_text("SELECT 1; SELECT 3;")
    statements._arrays.text._cached.clear()  # type: ignore[attr-defined]
    with pytest.raises(RunnerError, match="was edited after the run had read it"):
        list(statements)
