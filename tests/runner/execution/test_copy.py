"""COPY … FROM stdin with its data in the file, as psql reads it."""

import subprocess

import pytest

from tasks.postgres.server.embedded import find_programs
from tasks.runner.errors import StatementError
from tests.runner.operating import A, B, Operator

TABLE = "CREATE TABLE a (id int, word text);\n"
FILES = {
    "text": "COPY a FROM stdin;\n1\tone\n2\ttwo\n\\.\n",
    "signs": "COPY a FROM stdin;\n1\tÜ \\t \\\\ \\\\. ; -- $$ ' \"\n\\N\t\\N\n\\.\n",
    "csv": 'COPY a (id, word) FROM STDIN WITH (FORMAT csv, HEADER);\nid,word\n1,"one;\n--more"\n2,\n\\.\n',
    "delimited": "COPY a FROM stdin DELIMITER '|' NULL '-';\n1|-\n\\.\n",
    "empty": "COPY a FROM stdin;\n\\.\n",
    "several": "COPY a FROM stdin;\n1\tx\n\\.\nUPDATE a SET id = 9;\nCOPY a FROM stdin;\n2\ty\n\\.\n",
    "to_the_end": "COPY a FROM stdin;\n1\tx\n",
    "columns": "COPY a (word) FROM stdin;\nword\n\\.\nSELECT 1;\n",
    "own_pair": "BEGIN;\nCOPY a FROM stdin;\n1\tx\n\\.\nCOMMIT;\n",
    "long": "COPY a FROM stdin;\n" + "".join(f"{number}\t{'x' * 500}\n" for number in range(2000)) + "\\.\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_data_in_the_file_is_copied_as_psql_copies_it(operator: Operator, text: str) -> None:
    path = operator.project.write_up(A, TABLE + text)
    psql = [str(find_programs() / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", operator.database.url]
    subprocess.run([*psql, f"--file={path}"], check=True, capture_output=True)
    expected = operator.database.query("TABLE a")
    operator.database.execute("DROP TABLE a")
    operator.migrate()
    assert operator.database.query("TABLE a") == expected


def test_data_is_copied_on_every_server(any_operator: Operator) -> None:
    any_operator.write(A, TABLE + FILES["several"])
    any_operator.write(B, "VACUUM a;\n" + FILES["to_the_end"])
    any_operator.migrate()
    assert any_operator.database.query("TABLE a") == [(9, "x"), (2, "y"), (1, "x")]


def test_lines_with_windows_line_ends_are_copied(operator: Operator) -> None:
    operator.write(A, (TABLE + FILES["text"]).replace("\n", "\r\n"))
    operator.migrate()
    assert operator.database.query("TABLE a") == [(1, "one"), (2, "two")]


def test_an_invalid_row_rolls_back_the_file_and_names_the_copy(any_operator: Operator) -> None:
    any_operator.write(A, TABLE + "\nCOPY a FROM stdin;\n1\tone\nzwei\ttwo\n\\.\n")
    with pytest.raises(StatementError, match="invalid input syntax for type integer") as failed:
        any_operator.migrate()
    assert "COPY a, line 2, column id" in failed.value.message
    assert failed.value.place is not None
    assert failed.value.place.line == 3
    assert any_operator.read_tables() == []
