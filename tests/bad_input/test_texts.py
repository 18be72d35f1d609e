"""Files with bytes or statements that cannot be run, and unusual ones that can."""

import pytest

from tests.bad_input.refusals import MARK, NEXT, V, refuse, refuse_unchanged
from tests.kit.databases import Database
from tests.kit.projects import Project


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("SELECT 1;\nSELECT 'é';\n".encode("latin-1"), 2, "is not UTF-8: byte 0xe9", "SET client_encoding = 'WIN1252';"),
        ("SELECT 'é';\n".encode("utf-16"), 1, "is not UTF-8: byte 0xff", "iconv -f utf-16 -t utf-8"),
        ("SELECT 1;\nSELECT 2;\n".encode("utf-16-le"), 1, "contains a NUL byte", "UTF-16"),
        (b"SELECT 1;\r\nSELECT '\0';\r\n", 2, "contains a NUL byte", "Save it as UTF-8"),
        (b"-- one\n-- NOT WRITTEN YET: two\nSELECT 1;\n", 2, "is not written yet", "delete this line"),
        ("SET client_encoding TO LATIN1;\nSELECT 'é';\n".encode(), 1, "sets client_encoding to LATIN1", "Delete line 1"),
        ("SELECT 'é';\n\\encoding latin1\n".encode(), 2, "sets client_encoding to LATIN1", "Delete line 2"),
        (b"SET NAMES EUC_JP;\nSELECT '\xe9';\n", 2, "is not EUC_JP, which line 1 sets, nor UTF-8", "delete line 1"),
        (b"SET NAMES EUC_TW;\nSELECT '\xe9';\n", 2, "EUC_TW of line 1 cannot be read", "delete line 1"),
        (b"SET NAMES SQL_ASCII;\nSELECT '\xe9';\n", 2, "SQL_ASCII of line 1 cannot be read", "delete line 1"),
        (b"SET NAMES LATIN1;\nSELECT '\xe9';\nSET NAMES WIN1252;\n", 2, "more than one encoding", "WIN1252 on line 3"),
        (b"SET NAMES LATIN1;\nRESET client_encoding;\nSELECT '\xe9';\n", 3, "more than one encoding", "UTF8 on line 2"),
    ],
    ids=[
        "latin1",
        "utf16",
        "utf16le",
        "nul",
        "unwritten",
        "converted",
        "converted_psql",
        "invalid",
        "no_codec",
        "no_encoding",
        "two_encodings",
        "reset",
    ],
)
def test_a_text_that_cannot_be_run_stops_all_files(
    project: Project, database: Database, text: bytes, line: int, message: str, hint: str
) -> None:
    project.write_up(V, MARK)
    project.write_up(NEXT, text)
    refusal = refuse_unchanged(project, database)
    assert refusal.place[:2] == (f"{NEXT}.sql", line)
    assert message in refusal.error.message
    assert hint in refusal.error.hint


def test_a_byte_order_mark_and_windows_line_ends_work(project: Project, database: Database) -> None:
    project.write_up(V, b"\xef\xbb\xbfCREATE TABLE t (a text);\r\nINSERT INTO t\r\n  VALUES ('\xc3\xa9');\r\n")
    project.migrate(check=0)
    assert database.query("TABLE t") == [("é",)]


@pytest.mark.parametrize(
    ("text", "place", "above"),
    [
        (b"\xef\xbb\xbfCREATE TABEL t ();\r\n", (1, 8), "TABEL t ();"),
        ("\ufeffSELECT 1;\r\nSELECT 'é日本😀', 1 FRM x;\r\n".encode(), (2, 22), "x;"),
        (b"\n\n\tSELECT\t'\xc3\xa9' , ;\n", (3, 15), ";"),
        (b"SELECT 1;\nSELECT (2", (2, 10), ""),
        (b"SELECT 1;\nSELECT 'open;\nSELECT 2;\n", (2, 8), "'open;"),
        (b"SELECT 1 WHERE 'a' LIKE %s;", (1, 25), "%s;"),
    ],
    ids=["first", "wide", "tabs", "end", "quote", "percent"],
)
def test_a_syntax_error_is_shown_before_anything_runs(
    project: Project, database: Database, text: bytes, place: tuple[int, int], above: str
) -> None:
    versions = [f"2025010{day}000000_day" for day in range(1, 6)]
    for version in versions:
        project.write_up(version, MARK)
    project.write_up(versions[2], text)
    refusal = refuse_unchanged(project, database)
    assert refusal.place == (f"{versions[2]}.sql", *place)
    assert refusal.error.sqlstate == "42601"
    assert refusal.error.source == text.decode("utf-8-sig").splitlines()[place[0] - 1]
    assert refusal.under_caret == above


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "SELECT 1;\n\ufeffCREATE TABLE a ();",
            "2 contains the invisible character U+FEFF (ZERO WIDTH NO-BREAK SPACE) in column 1",
        ),
        ("\ufeff\ufeffCREATE TABLE a ();", "1 contains the invisible character U+FEFF (ZERO WIDTH NO-BREAK SPACE) in column 1"),
        ("CREATE\u00a0TABLE a ();", "1 contains the invisible character U+00A0 (NO-BREAK SPACE) in column 7"),
        ("SELECT 'é', a\u200b b\u2066 FRM c d;", "1 contains the invisible character U+200B (ZERO WIDTH SPACE) in column 14"),
        (
            "BEGIN; SELECT\u3000 1 FRM; COMMIT; COMMIT;",
            "1 contains the invisible character U+3000 (IDEOGRAPHIC SPACE) in column 14",
        ),
        ("CREATE\x7f TABLE a ();", "1 contains the invisible character U+007F in column 7"),
    ],
    ids=["mark", "two_marks", "space", "zero_width", "unparsed", "control"],
)
def test_an_invisible_character_is_named_with_a_syntax_error(project: Project, database: Database, text: str, named: str) -> None:
    project.write_up(V, text)
    refusal = refuse_unchanged(project, database)
    assert f"{V}.sql:{named}" in refusal.error.message
    assert refusal.error.source == text.removeprefix("\ufeff").splitlines()[refusal.error.line - 1]


def test_an_invisible_character_is_named_with_an_error_of_the_server(project: Project) -> None:
    project.write_up(V, "CREATE TABLE a\u202eb (id int);\nSELECT '\u200b' /* \u200b */ FROM ab\u200d;")
    refusal = refuse(project, code=1)
    assert refusal.error.message.splitlines()[1:] == [
        f"migrations/up/{V}.sql:2 contains the invisible character U+200D (ZERO WIDTH JOINER) in column 27: "
        "delete it, or write a space"
    ]
    assert "U+202E (RIGHT-TO-LEFT OVERRIDE) in column 15" in refusal.stdout


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("\ufeffCREATE TABLE mark ();\r\nSELECT 'é😀',\r\n  nix;\r\n", (3, 3), 'column "nix" does not exist'),
        ("CREATE TABLE mark ();\n\tSELECT 'é' FROM\tnowhere;", (2, 18), 'relation "nowhere" does not exist'),
        ("\n  SELECT 'é', nix;\nCREATE TABLE mark ();", (2, 15), 'column "nix" does not exist'),
        ("CREATE TABLE mark ();\n  SELECT 1/0;", (2, 3), "division by zero"),
        ("CREATE TABLE mark ();\nSELECT $1;", (2, 8), "there is no parameter $1"),
        (
            "CREATE TABLE mark ();\n\nDO $x$\nBEGIN\n  PERFORM 1;\n  PERFORM 1/0;\nEND $x$;",
            (6, 0),
            "division by zero",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1/0;\nEND $$;\nSELECT 1,\n  f();",
            (5, 1),
            "PL/pgSQL function f() line 3 at RETURN",
        ),
        (
            "CREATE TABLE mark ();\nCREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRN 1;\nEND $$;",
            (4, 3),
            'syntax error at or near "RETRN"',
        ),
        (
            "CREATE TABLE mark ();\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT a\n FROM nowhere'",
            (3, 7),
            'relation "nowhere" does not exist',
        ),
    ],
    ids=["column", "table", "first", "expression", "parameter", "block", "called", "body", "sql_body"],
)
def test_a_runtime_error_rolls_back_the_file_and_names_the_place(
    project: Project, database: Database, text: str, place: tuple[int, int], message: str
) -> None:
    project.write_up(V, "CREATE TABLE before ();")
    project.write_up(NEXT, text)
    refusal = refuse(project, code=1)
    assert message in refusal.error.message
    assert refusal.place == (f"{NEXT}.sql", *place)
    assert refusal.error.source == text.replace("\ufeff", "").splitlines()[place[0] - 1]
    assert "rolled back completely" in refusal.error.state
    assert "1 earlier migration of this run stays applied" in refusal.error.state
    assert database.query("SELECT to_regclass('mark'), to_regclass('before')::text") == [(None, "before")]
    assert database.query("SELECT version FROM schema_migrations") == [(V,)]


def test_characters_that_other_tools_replace_are_not_changed(project: Project, database: Database) -> None:
    odd = "100% %s %(a)s {} {0} {a!r} :name $1 ${A} ? \\d \\\\ ; --"
    project.write_up(
        V,
        f"CREATE TABLE t (a text, b jsonb);\nINSERT INTO t VALUES ('{odd}', '{{\"a\": [1]}}');\n"
        "INSERT INTO t SELECT a FROM t WHERE b ? 'a' AND b ?| array['a'] AND b @> '{}' AND 5 % 3 = 2 AND a LIKE '100%';\n"
        f"COMMENT ON TABLE t IS '{odd}';\n",
    )
    project.migrate("migrate", "--verbose", check=0)
    assert database.query("SELECT a FROM t") == [(odd,), (odd,)]
    assert database.query("SELECT obj_description('t'::regclass)") == [(odd,)]


MEGABYTES = ["x" * 1000 + "é" for _ in range(5000)]
LONG = "INSERT INTO t VALUES " + ",".join(f"('{word}')" for word in MEGABYTES)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{LONG},(nix);", (2, len(LONG) + 3)),
        (f"{LONG},(1 +);", (2, len(LONG) + 6)),
        ("COPY t FROM stdin;\n" + "\n".join(MEGABYTES) + "\n\\.\nSELECT nix;\n", (5004, 8)),
    ],
    ids=["long_line", "long_line_syntax", "copy"],
)
def test_an_error_in_a_file_of_five_megabytes_has_its_place(project: Project, text: str, place: tuple[int, int]) -> None:
    project.write_up(V, f"CREATE TABLE t (a text);\n{text}")
    refusal = refuse(project, code=1)
    assert refusal.place == (f"{V}.sql", *place)
    assert len(refusal.stderr) < 2000


def test_a_file_of_five_megabytes_runs(project: Project, database: Database) -> None:
    project.write_up(V, f"CREATE TABLE t (a text);\n{LONG};\n")
    project.migrate(check=0)
    assert database.query("SELECT count(*), sum(length(a)) FROM t") == [(5000, 5_005_000)]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("SELECT 'é';\nCREATE GADGET g;\nSELECT (", (2, 8), 'syntax error at or near "GADGET"'),
        ("BEGIN;\nSELECT 1; CREATE GADGET g;\nCOMMIT;", (2, 18), 'syntax error at or near "GADGET"'),
        ("CREATE TABLE t (\n\n", (1, 17), "syntax error at end of input"),
        ("SELECT 1;\nSELECT 'é\n\nSELECT 2;\n", (2, 8), """unterminated quoted string at or near "'é …\""""),
        (f"SELECT 1;/* {'é' * 99}", (1, 10), f'unterminated /* comment at or near "/* {"é" * 57} …"'),
    ],
)
def test_sql_that_neither_the_parser_nor_the_server_knows_is_refused_with_the_servers_message(
    project: Project, database: Database, text: str, place: tuple[int, int], message: str
) -> None:
    project.write_up(V, MARK)
    project.write_up(NEXT, text)
    refusal = refuse_unchanged(project, database)
    assert refusal.error.message == message
    assert refusal.place == (f"{NEXT}.sql", *place)


def test_sql_that_only_a_newer_server_knows_is_refused_with_the_servers_message(
    project: Project, older_database: Database
) -> None:
    project = project.at(older_database.url)
    project.write_up(V, "CREATE TABLE mark ();\nSELECT 'é', '{}' IS JSON;\n")
    refusal = refuse(project, code=1)
    assert refusal.error.message == 'syntax error at or near "JSON"'
    assert refusal.place == (f"{V}.sql", 2, 21)
    assert older_database.query("SELECT to_regclass('mark')") == [(None,)]


ESCAPED = "CREATE TABLE mark (a text);\nINSERT INTO mark VALUES ('it\\'s');\n"


@pytest.fixture
def escaping_project(project: Project, database: Database) -> Project:
    """Return a project whose server treats backslashes in plain literals as escapes, which the parser does not."""
    database.execute(f"ALTER DATABASE {database.name} SET standard_conforming_strings = off")
    return project


def test_a_text_that_only_the_server_knows_runs_as_one_statement(escaping_project: Project, database: Database) -> None:
    escaping_project.write_up(V, ESCAPED)
    escaping_project.migrate(check=0)
    assert database.query("TABLE mark") == [("it's",)]


def test_an_error_in_a_text_that_only_the_server_knows_names_no_line(escaping_project: Project, database: Database) -> None:
    escaping_project.write_up(V, f"{ESCAPED}SELECT 1/0;\n")
    refusal = refuse(escaping_project, code=1)
    assert refusal.error.message == "division by zero"
    assert refusal.place == (f"{V}.sql", 0, 0)
    assert database.query("SELECT to_regclass('mark')") == [(None,)]


def test_a_text_is_not_changed_by_the_encoding_in_the_url(project: Project, database: Database) -> None:
    project.write_up(V, "CREATE TABLE t AS SELECT 'é日' AS a;\n")
    project.at(f"{database.url}&client_encoding=latin1").migrate(check=0)
    assert database.query("TABLE t") == [("é日",)]
