"""What files written for psql contain besides SQL."""

import subprocess
from pathlib import Path

import pytest

from tasks.runner.parsing import read_script
from tasks.runner.parsing.psql import CopyData, take_copy_data
from tasks.runner.parsing.source_text import ScriptError, SqlText, trim
from tests.kit.databases import Database


def take(text: str) -> tuple[str, list[tuple[int, str]]]:
    blanked, copies = take_copy_data(SqlText("f.sql", text))
    return blanked.text, [(copy.start, copy.data) for copy in copies]


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("SELECT 1 -- done\n", "SELECT 1"),
        ("SELECT 1 /* a */ -- b\n/* c\n*/", "SELECT 1"),
        ("SELECT '--'", "SELECT '--'"),
        ("SELECT 1 -- a\n+ 2", "SELECT 1 -- a\n+ 2"),
        ("SELECT 2 * /* a */ 3", "SELECT 2 * /* a */ 3"),
    ],
)
def test_comments_after_a_statement_are_removed(text: str, trimmed: str) -> None:
    assert trim(text) == trimmed


def test_the_data_of_a_copy_is_removed_and_everything_else_keeps_its_place() -> None:
    text = "COPY t FROM stdin;\n1\tä\\N\n2\t\\\\.\n\\.\nSELECT 1;\n"
    blanked, copies = take(text)
    assert copies == [(0, "1\tä\\N\n2\t\\\\.\n")]
    assert len(blanked) == len(text)
    assert blanked.index("SELECT") == text.index("SELECT")
    assert blanked.split() == ["COPY", "t", "FROM", "stdin;", "SELECT", "1;"]
    assert blanked.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("copy t from STDIN;\n1\n\\.\n", ["1\n"]),
        ("DO $$ BEGIN\nEND\n$$;\nCOPY t FROM stdin;\n1\n\\.\n", ["1\n"]),
        ("COPY t (a, b) FROM stdin WITH (FORMAT csv, HEADER);\na,b\n\\.\n", ["a,b\n"]),
        ("COPY t FROM stdin;\n\\.\n", [""]),
        ("COPY t FROM stdin;", [""]),
        ("COPY t FROM stdin", [""]),
        ("COPY t FROM stdin;\n1\n2", ["1\n2"]),
        ("COPY t FROM stdin;\n1\n\\.", ["1\n"]),
        ("COPY t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;", ["1\r\n"]),
        ("COPY t FROM stdin; -- two rows\n1\n 2\n \\.\n\\.\n", ["1\n 2\n \\.\n"]),
        ("/* copy */ COPY t\n  FROM -- here\n  stdin\n;\n1\n\\.\n", ["1\n"]),
        ("COPY t FROM stdin;\n1\n\\.\nCOPY u FROM stdin;\n'\n$$\n\\.\nSELECT 1;", ["1\n", "'\n$$\n"]),
        ("COPY t FROM stdout;\n1\n\\.\n", ["1\n"]),
        ("COPY t FROM stdin WHERE a > (1);\n1\n\\.\n", ["1\n"]),
        ("CREATE TABLE t (a int;\nCOPY t FROM stdin;\n1\n\\.\n", ["1\n"]),
        ("CREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; COPY t FROM stdin);\nSELECT 1;", []),
        ("SELECT 'COPY t FROM stdin;\n\\.\n';", []),
        ("DO $$ BEGIN RAISE NOTICE 'COPY t FROM stdin;\n\\i x'; END $$;", []),
        ("-- COPY t FROM stdin;\n/* \\i x */", []),
        ("COPY (SELECT * FROM stdin) TO '/tmp/x';", []),
        ("COPY stdin FROM '/tmp/x';", []),
        ("INSERT INTO t SELECT * FROM stdin;\n", []),
        ("SELECT E'\\\\', E'\\'\\i', '\\', \"\\\";", []),
    ],
)
def test_inline_data_is_found_where_psql_finds_it(text: str, data: list[str]) -> None:
    assert [found for _, found in take(text)[1]] == data


@pytest.mark.parametrize(
    ("command", "name", "hint"),
    [
        ("\\i other.sql", "\\i", "the text of that file"),
        ("\\ir other.sql", "\\ir", "the text of that file"),
        ("\\copy t FROM 'x'", "\\copy", "COPY … FROM stdin;"),
        ("\\c other", "\\c", "DATABASE_URL"),
        ("\\connect other", "\\connect", "DATABASE_URL"),
        ("\\set x 1", "\\set", "value"),
        ("\\echo done", "\\echo", "RAISE NOTICE"),
        ("SELECT 'x' \\gexec", "\\gexec", "EXECUTE"),
        ("SELECT 'x'\\gset", "\\gset", "value"),
        ("\\restrict token", "\\restrict", "pg_dump"),
        ("\\if :x", "\\if", "THEN"),
        ("SELECT 1\\;", "\\;", ";"),
        ("\\.", "\\.", "COPY … FROM stdin;"),
        ("\\!ls", "\\!", "cannot run programs"),
        ("\\d", "\\d", "only lists objects"),
        ("\\dt+ public.*", "\\dt", "only lists objects"),
        ("\\l", "\\l", "only lists objects"),
        ("\\timing on", "\\timing", "only changes what psql shows"),
        ("\\pset pager off", "\\pset", "only changes what psql shows"),
        ("SELECT 1 \\watch 2", "\\watch", "call the statement once"),
        ("\\q", "\\q", "session at a terminal"),
        ("\\", "\\", "without psql"),
    ],
)
def test_a_backslash_command_is_an_error_with_its_replacement(command: str, name: str, hint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        take(f"SELECT E'\\n';\n\n{command}\nSELECT 2;")
    error = caught.value
    assert error.message == f"{name} is a command of psql, not SQL"
    assert hint in error.hint
    assert error.state == "Nothing was changed."
    assert error.exit_code == 3
    assert error.place is not None
    assert str(error.place) == "f.sql:3"
    assert error.place.source == command
    assert error.place.column == command.index("\\") + 1


def test_a_statement_on_the_line_of_a_copy_is_an_error() -> None:
    with pytest.raises(ScriptError, match="unexpected text after COPY") as caught:
        take("COPY t FROM stdin; SELECT 1;\n1\n\\.\n")
    assert str(caught.value.place) == "f.sql:1"


COPIES = [
    "COPY t FROM stdin;\n1\tone\\ttwo\n2\t\\N\n3\tä 'quoted' $$ -- ;\n\\.\nINSERT INTO t VALUES (4, E'a\\'b');\n",
    'COPY t (b, a) FROM stdin (FORMAT csv);\n"two\nlines; \\.",1\n,2\n\\.\n',
    "COPY t FROM stdin;\r\n1\tone\r\n2\ttwo\r\n\\.\r\nSELECT 1;\r\n",
    "COPY t FROM stdin;\n5\tno end\n",
    "/* COPY t FROM stdin; */ COPY\n  t FROM STDIN -- now\n;\n6\tsix\n\\.\nCOPY t FROM stdin;\n7\tseven\n\\.\n",
    "COPY t FROM stdin WITH DELIMITER '|';\n8|eight\n\\.\n",
]


@pytest.mark.parametrize("text", COPIES)
def test_a_copy_takes_the_rows_that_psql_takes(database: Database, tmp_path: Path, text: str) -> None:
    database.execute("CREATE TABLE t (a integer, b text)")
    file = tmp_path / "f.sql"
    file.write_bytes(text.encode())
    psql = database.server.cluster.programs / "psql"
    arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file), database.url]
    done = subprocess.run([psql, *arguments], check=True, capture_output=True)
    assert done.stderr == b""
    expected = database.query("SELECT a, b FROM t ORDER BY a")
    database.execute("TRUNCATE t")

    blanked, copies = take_copy_data(SqlText("f.sql", text))
    run_with_copies(database, blanked.text, copies)
    assert expected
    assert database.query("SELECT a, b FROM t ORDER BY a") == expected


def run_with_copies(database: Database, text: str, copies: tuple[CopyData, ...]) -> None:
    """Run a blanked text: each COPY with its data, and what stands between them."""
    done = 0
    with database.connect() as connection, connection.cursor() as cursor:
        for copy in copies:
            cursor.execute(text[done : copy.start].encode())
            done = text.find(";", text.index("FROM", copy.start)) + 1
            with cursor.copy(text[copy.start : done].encode()) as stream:
                stream.write(copy.data)
        cursor.execute(text[done:].encode())


@pytest.mark.parametrize(
    "variable", [":owner", ":'name'", ':"name"', ":{?name}", ":größe"], ids=["plain", "literal", "name", "test", "letters"]
)
def test_a_variable_of_psql_is_an_error_that_names_it(variable: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read_script(f"SELECT a[1:2], b::int;\nALTER TABLE t OWNER TO {variable};", file="f.sql", version="v")
    assert caught.value.message == f"{variable} is a variable of psql, which a run does not replace"
    assert "Write its value" in caught.value.hint
    assert (caught.value.place.line, caught.value.place.column) == (2, 24) if caught.value.place else False


def test_a_string_that_escapes_a_quote_names_the_setting_that_allows_that() -> None:
    with pytest.raises(ScriptError) as caught:
        read_script("SET standard_conforming_strings TO off;\nSELECT 'it\\'s';", file="f.sql", version="v")
    assert "which line 1 makes an escape" in caught.value.message
    assert "E'it\\'s'" in caught.value.hint


@pytest.mark.parametrize("text", ["SELECT 'C:\\\\x';", "COPY t FROM stdin;\nit's \\' 1\n\\.\nSELECT 1;", "SELECT 1; -- it\\'s"])
def test_other_backslashes_may_follow_that_setting(text: str) -> None:
    assert read_script(f"SET standard_conforming_strings = off;\n{text}", file="f.sql", version="v").parsed
