"""Text in other encodings: of files that set one, and of databases that have one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import sql

from tasks.runner.errors import RefusedError, StatementError
from tasks.runner.events import PlanMade
from tasks.runner.identity import Identity
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.kit.servers import Server
from tests.runner.operating import A, B, Operator, pick

MakeDatabase = Callable[[str], Operator]


@pytest.fixture
def make_operator(embedded: Server, database: Database, project: Project) -> Iterator[MakeDatabase]:
    """Yield a function that returns an operator on a new database with an encoding."""
    made: list[Database] = []

    def make(encoding: str) -> Operator:
        name = f"{database.name}_{encoding}".lower()
        create = "CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0"
        embedded.administer(sql.SQL(create).format(sql.Identifier(name), sql.Literal(encoding)))
        made.append(Database(embedded, name))
        return Operator(project.at(embedded.url(name)), made[-1], watch_drift=True)

    yield make
    for each in made:
        each.close()
        embedded.drop(each.name)


def ask(operator: Operator, question: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, in UTF-8 whatever the database has."""
    with operator.database.connect(client_encoding="UTF8") as connection:
        return connection.execute(question).fetchall()


def read_names(operator: Operator) -> list[str]:
    return [name for (name,) in operator.database.query("SELECT n FROM p ORDER BY n")]


@pytest.mark.parametrize(
    ("setting", "codec", "name"),
    [
        ("SET client_encoding = 'LATIN1';", "latin-1", "Zoë café"),
        ("set session client_encoding to windows_1252;", "cp1252", "10 €"),
        ("SET LOCAL NAMES 'koi8r';", "koi8_r", "мир"),
        ("SELECT pg_catalog.set_config('client_encoding', 'EUC_JP', false);", "euc_jp", "日本"),
        ("\\encoding SJIS", "cp932", "日本～表"),
        ("/* ä */ SET/**/NAMES E'latin1';", "latin-1", "é"),
    ],
    ids=["set", "session", "names", "set_config", "psql", "comments"],
)
def test_a_file_that_is_not_utf8_is_read_in_the_encoding_that_it_sets(
    operator: Operator, setting: str, codec: str, name: str
) -> None:
    text = (
        f"{setting}\nCREATE TABLE p (n text);\nINSERT INTO p VALUES ('{name}');\nCOPY p FROM stdin;\nSET NAMES 'x'; {name}\n\\.\n"
    )
    operator.write(A, "", "")
    operator.project.write_up(A, text.encode(codec))
    operator.project.write_down(A, f"{setting}\nDROP TABLE p; -- {name}".encode(codec))
    (made,) = pick(operator.migrate(), PlanMade)
    assert [(finding.kind, finding.refuses) for finding in made.findings] == [("encoding", False)]
    assert "which line 1 sets" in made.findings[0].message
    assert sorted(read_names(operator)) == sorted([name, f"SET NAMES 'x'; {name}"])
    (operator.project.migrations / "down" / f"{A}.sql").unlink()
    operator.roll_back()
    assert operator.database.query("SELECT to_regclass('p')") == [(None,)]


def test_a_setting_is_skipped_in_plain_ascii(operator: Operator) -> None:
    operator.write(A, "\ufeffSET client_encoding = 'LATIN1';\nSET NAMES win1252;\nCREATE TABLE p (n text);")
    (made,) = pick(operator.migrate(), PlanMade)
    assert [finding.message for finding in made.findings] == [
        "line 1, which sets client_encoding to LATIN1, is skipped: the file is plain ASCII",
        "line 2, which sets client_encoding to WIN1252, is skipped: the file is plain ASCII",
    ]


@pytest.mark.parametrize(
    "setting",
    [
        "DO $$ BEGIN PERFORM set_config('client_encoding', 'LATIN1', false); END $$;",
        "SELECT set_config('client_encoding', lower('LATIN1'), false);",
        "SET client_encoding = 'UTF8';",
        "RESET client_encoding;",
        "SET NAMES SQL_ASCII;",
        "\\encoding utf-8",
    ],
)
def test_text_is_sent_as_utf8_whatever_a_statement_sets(operator: Operator, setting: str) -> None:
    operator.write(A, f"{setting}\nCREATE TABLE p (n text);\nINSERT INTO p VALUES ('Łódź');\nCOPY p FROM stdin;\nŻ\n\\.\n")
    operator.migrate()
    assert read_names(operator) == ["Łódź", "Ż"]


def test_a_seed_is_read_in_the_encoding_that_it_sets(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE p (n text);")
    operator.migrate()
    operator.project.write_seed("001_p", "SET NAMES LATIN1;\nINSERT INTO p VALUES ('é');".encode("latin-1"))
    (made,) = pick(operator.seed(), PlanMade)
    assert [finding.kind for finding in made.findings] == ["encoding"]
    assert read_names(operator) == ["é"]
    operator.project.write_seed("001_p", "SET NAMES LATIN1;\nINSERT INTO p VALUES ('é');")
    with pytest.raises(RefusedError, match="sets client_encoding to LATIN1, but the file is UTF-8"):
        operator.seed()


TEXT = """-- users {0} accounts
CREATE TABLE accounts (id int, /* {0} */ name text DEFAULT '{1}');
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN -- {0}
  RETURN 1; END $$;
DO $$ BEGIN PERFORM f(); -- {0}
END $$;
CREATE INDEX CONCURRENTLY /* {0} */ i ON accounts (id);
"""


@pytest.mark.parametrize(
    ("encoding", "lacks", "has"),
    [("LATIN1", "→", "é"), ("WIN1251", "日", "ж"), ("EUC_JP", "ß😀", "日"), ("EUC_TW", "ж", "x"), ("SQL_ASCII", "→", "é→")],
)
def test_a_comment_the_down_text_or_a_name_fails_in_no_encoding(
    make_operator: MakeDatabase, encoding: str, lacks: str, has: str
) -> None:
    operator = make_operator(encoding)
    operator.write(A, TEXT.format(lacks, has), f"-- {lacks} \\ \\u2192\nDROP TABLE accounts; DROP FUNCTION f;")
    identity = Identity(actor=f"Łukasz {lacks} \udcf6" + "ß" * 300, host="→" * 300)
    operator.migrate(identity=identity)
    assert operator.read_status(identity=identity).rows[0].state == "applied"
    assert ask(operator, "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'accounts'::regclass") == [
        (f"'{has}'::text",)
    ]
    operator.project.write_up(A, TEXT.format(lacks, has) + "SELECT 1;")
    (finding,) = operator.read_status(identity=identity).findings
    assert finding.diff.splitlines()[-1] == "+SELECT 1;"
    operator.remove(A)
    operator.roll_back(identity=identity)
    assert ask(operator, "SELECT to_regclass('accounts')") == [(None,)]


def test_the_text_that_a_database_cannot_represent_is_restored_exactly(make_operator: MakeDatabase) -> None:
    operator = make_operator("LATIN1")
    head = "-- migrate: stored with escapes, because the database cannot represent all characters\n"
    for version, text in ((A, "-- → \\ \\\\ \\u2192 \U0001f600 é\nSELECT 1;"), (B, "-- é \\u2192\nSELECT 1;")):
        operator.write(version, text, text)
    operator.migrate()
    stored = dict(operator.database.query("SELECT version, up_text FROM schema_migrations_scripts"))
    assert stored[A] == f"{head}-- \\u2192 \\\\ \\\\\\\\ \\\\u2192 \\U0001f600 é\nSELECT 1;"
    assert stored[B] == "-- é \\u2192\nSELECT 1;"
    operator.database.execute("UPDATE schema_migrations SET checksum = 'x'")
    assert operator.repair()
    assert dict(operator.database.query("SELECT version, up_text FROM schema_migrations_scripts")) == stored
    assert operator.read_status().findings == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("SELECT '→'; -- é", (1, 9)),
        ("SELECT 1;\n/* → */ SELECT /* → */ 'é', '→';", (2, 30)),
        ('CREATE TABLE "→" ();', (1, 15)),
        ("CREATE TABLE p (n text);\nCOPY p FROM stdin;\né\na→\n\\.\n", (4, 2)),
    ],
    ids=["literal", "after_comments", "name", "copy"],
)
def test_a_string_that_cannot_be_represented_is_an_error_with_its_place(
    make_operator: MakeDatabase, text: str, place: tuple[int, int]
) -> None:
    operator = make_operator("LATIN1")
    operator.write(A, text)
    with pytest.raises(StatementError) as caught:
        operator.migrate()
    assert caught.value.sqlstate == "22P05"
    assert "lacks a character of the text" in caught.value.hint
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == place


def test_a_column_is_counted_in_characters_where_the_server_counts_bytes(make_operator: MakeDatabase) -> None:
    operator = make_operator("SQL_ASCII")
    for text, column in (("SELECT 'é→', nix;", 14), ("SELECT 'é→', 1 FRM x;", 20)):
        operator.write(A, text)
        with pytest.raises((StatementError, RefusedError)) as caught:
            operator.migrate()
        assert caught.value.place is not None
        assert caught.value.place.column == column


def test_names_of_any_bytes_can_be_read(make_operator: MakeDatabase) -> None:
    operator = make_operator("SQL_ASCII")
    with operator.database.connect(client_encoding="LATIN1") as other:
        other.execute('CREATE TABLE "café" (id int)')
    operator.write(A, "CREATE TABLE p (n text);")
    operator.migrate()
    assert operator.read_status().rows
