"""SQL text → statements."""

import subprocess
import sys

import pytest

from tasks.runner.parsing import Script, ScriptError, Statement, Target, read_script

VERSION = "20250813140000_create_conversations_table"
BOM = "\ufeff"
TEMPLATE = f"""-- Migration: {VERSION}.sql
-- Description: Creates conversations table for chat organization

BEGIN;

-- Migration logic here
CREATE TABLE conversations (id integer PRIMARY KEY, title text DEFAULT 'Übersicht');

-- Record migration
INSERT INTO schema_migrations (version, applied_by)
VALUES ('{VERSION}', 'migration_script');

COMMIT;

SELECT count(*) FROM conversations; -- to verify
"""


def read(text: str) -> Script:
    return read_script(text, file="f.sql", version=VERSION)


def refuse(text: str) -> ScriptError:
    with pytest.raises(ScriptError) as caught:
        read(text)
    assert caught.value.state == "Nothing was changed."
    assert caught.value.exit_code == 3
    assert caught.value.hint
    return caught.value


def test_the_template_is_one_transaction_that_records_itself() -> None:
    script = read(TEMPLATE)
    assert script.single_transaction
    assert script.records_itself
    assert script.parsed
    assert [(statement.kind, statement.line) for statement in script.statements] == [
        ("CreateStmt", 7),
        ("InsertStmt", 10),
        ("SelectStmt", 15),
    ]
    assert script.statements[2].text == "SELECT count(*) FROM conversations"


VARIED = [
    TEMPLATE,
    "SELECT 1",
    "-- SELECT 1\n/* SELECT 1; */ SELECT 1; -- SELECT 2\n ; SELECT 2",
    "COPY t FROM stdin;\n1\té\n",
    ";;\n SELECT 1 ;; /* é /* ü */ */ SELECT 2 -- end",
    "SELECT 'ß', '日本語', '🐘';\n\tSELECT '🐘' AS \"Größe\"\n;-- é\nSELECT\n\n3",
    "SELECT 'a\n-- no comment\nb';\nSELECT $é$ ; \\. \n$é$;\nSELECT E'\\';'; SELECT 1",
    "INSERT INTO t VALUES ('%s', '{}', '?', ':x', 1::text);\nSELECT a ? 'b' AND c @> '{}' AND 5 % 2 = 1 FROM t;",
    "CREATE FUNCTION f() RETURNS integer\nBEGIN ATOMIC\n  SELECT 1;\n  SELECT CASE WHEN true THEN 2 END;\nEND;\nSELECT 2;",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v);\nDO $$ BEGIN x := 1; END $$;",
    "COPY t FROM stdin;\n1\té\n\\.\nSELECT 'é';\nCOPY u (a) FROM stdin (FORMAT csv);\nü\n\\.\n\nSELECT 2;\n",
    "-- é\nCREATE INDEX CONCURRENTLY i ON t (a);\nSELECT 1;\nVACUUM;\n",
]


@pytest.mark.parametrize("first", ["", BOM], ids=["", "BOM"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("text", VARIED)
def test_statements_have_their_line_and_offset(text: str, newline: str, first: str) -> None:
    text = first + text.replace("\n", newline)
    statements = read(text).statements
    assert statements
    for statement in statements:
        assert text[statement.offset : statement.offset + len(statement.text)] == statement.text
        assert statement.line == text.count("\n", 0, statement.offset) + 1
        assert statement.text[0].isalpha()
        assert statement.text[-1] not in "; \t\r\n"
    offsets = [statement.offset for statement in statements]
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        (VARIED[2], ["SELECT 1", "SELECT 2"]),
        (VARIED[3], ["COPY t FROM stdin"]),
        (VARIED[4], ["SELECT 1", "SELECT 2"]),
        (VARIED[6], ["SELECT 'a\n-- no comment\nb'", "SELECT $é$ ; \\. \n$é$", "SELECT E'\\';'", "SELECT 1"]),
        (VARIED[8], [VARIED[8].removesuffix(";\nSELECT 2;"), "SELECT 2"]),
        (
            VARIED[9],
            ["CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v)", "DO $$ BEGIN x := 1; END $$"],
        ),
        (VARIED[10], ["COPY t FROM stdin", "SELECT 'é'", "COPY u (a) FROM stdin (FORMAT csv)", "SELECT 2"]),
    ],
)
def test_text_is_split_at_the_right_semicolons(text: str, texts: list[str]) -> None:
    assert [statement.text for statement in read(text).statements] == texts


def test_a_comment_that_reads_like_its_statement_is_not_taken_for_it() -> None:
    offsets = [statement.offset for statement in read(VARIED[2]).statements]
    assert offsets == [VARIED[2].index("*/") + 3, VARIED[2].rindex("SELECT 2")]


def test_the_lines_of_a_text_with_many_statements_are_right() -> None:
    text = "".join(f"SELECT 'é',\n  {number};\n" for number in range(1000))
    assert [statement.line for statement in read(text).statements] == list(range(1, 2001, 2))


def test_copy_data_belongs_to_its_statement() -> None:
    script = read(f"{BOM}{VARIED[10]}COPY t FROM stdin;\n\\.\nCOPY t FROM '/x';")
    assert [statement.copy_data for statement in script.statements] == ["1\té\n", None, "ü\n", None, "", None]


def test_a_statement_outside_a_transaction_has_a_target() -> None:
    [segment] = read("CREATE INDEX CONCURRENTLY i ON s.t (a);").segments
    assert not segment.transactional
    assert segment.statements[0].target == Target("create index", "s", "i", "s", "t")
    assert read("CREATE INDEX i ON t (a)").statements[0].target is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("CREATE TABLE t (\r\n  a integer)", "CREATE TABLE t ("),
        ("SELECT 1", "SELECT 1"),
        ("\n\n  SELECT 1\n", "SELECT 1"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_the_label_is_the_first_line_shortened_to_eighty_characters(text: str, label: str) -> None:
    assert Statement(text, 1, 0, "", transactional=True).label == label


def test_an_expression_too_deep_to_read_its_tree_is_accepted() -> None:
    script = read("SELECT 1" + "+1" * 3000 + "; CREATE VIEW v AS SELECT 1" + "+1" * 3000)
    assert [statement.kind for statement in script.statements] == ["SelectStmt", "ViewStmt"]


@pytest.mark.parametrize(
    "insert",
    [
        f"INSERT INTO schema_migrations VALUES ('{VERSION}')",
        f"insert into Public.Schema_Migrations (applied_by, version) values ('me', '{VERSION}'::text)",
        f"INSERT INTO schema_migrations (version) VALUES ('{VERSION}'), ('{VERSION}') ON CONFLICT DO NOTHING",
    ],
)
def test_a_file_may_record_itself(insert: str) -> None:
    assert read(f"SELECT 1; {insert};").records_itself


@pytest.mark.parametrize(
    "insert",
    [
        f"INSERT INTO schema_migrations (version) SELECT '{VERSION}'",
        "INSERT INTO schema_migrations (version) VALUES (current_setting('app.version'))",
        "INSERT INTO schema_migrations (version) VALUES (NULL)",
        "INSERT INTO schema_migrations (applied_by) VALUES ('me')",
        "INSERT INTO schema_migrations DEFAULT VALUES",
        "INSERT INTO versions VALUES ('schema_migrations')",
        "INSERT INTO rails.schema_migrations VALUES ('other')",
    ],
)
def test_what_an_insert_records_is_not_checked_where_it_is_not_constant(insert: str) -> None:
    assert not read(insert).records_itself


@pytest.mark.parametrize(
    ("insert", "other", "column"),
    [
        ("INSERT INTO schema_migrations VALUES ('other')", "'other'", 39),
        ("INSERT INTO public.schema_migrations (applied_by, version) VALUES ('é', 'other')", "'other'", 73),
        (f"INSERT INTO schema_migrations VALUES ('{VERSION}'), ('other')", "'other'", 86),
        ("INSERT INTO schema_migrations (version) VALUES (20250813)", "'20250813'", 49),
        (f"INSERT INTO schema_migrations VALUES ('{VERSION}.sql')", "without .sql", 39),
        ("INSERT INTO schema_migrations VALUES ('')", "''", 39),
    ],
)
def test_the_row_of_another_version_is_an_error(insert: str, other: str, column: int) -> None:
    error = refuse(f"{BOM}SELECT 'é';\n{insert};")
    assert other in error.message
    assert VERSION in error.message
    assert error.place is not None
    assert (error.place.line, error.place.column) == (2, column)
    assert error.place.source == f"{insert};"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("SELECT 1;\nCOPY t TO STDOUT;", 2, "COPY … TO STDOUT"),
        ("COPY (SELECT 1) TO stdout (FORMAT csv);", 1, "COPY … TO STDOUT"),
        ("\nCOPY t FROM stdin (FORMAT binary);\n\\.\n", 2, "binary data"),
        ("COPY BINARY t FROM stdin;\n", 1, "binary data"),
    ],
)
def test_a_copy_that_needs_a_client_is_an_error(text: str, line: int, message: str) -> None:
    error = refuse(BOM + text)
    assert message in error.message
    assert str(error.place) == f"f.sql:{line}"


@pytest.mark.parametrize("text", ["COPY t TO '/x'", "COPY t FROM PROGRAM 'x'", "COPY t FROM '/x' (FORMAT binary)"])
def test_a_copy_on_the_server_is_a_statement_like_others(text: str) -> None:
    assert read(text).single_transaction


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "CREATE INDEX CONCURRENTLY ON s.items (name, shop DESC) WHERE name > ''",
            "CREATE INDEX CONCURRENTLY items_name_shop_idx ON s.items (name, shop DESC) WHERE name > ''",
        ),
        (
            "create unique index concurrently on items (lower(a), (a || b), (b || a)) include (c)",
            "create unique index concurrently items_lower_expr_expr1_c_idx on items (lower(a), (a || b), (b || a)) include (c)",
        ),
        (
            'CREATE INDEX CONCURRENTLY ON "Items" (a)',
            'CREATE INDEX CONCURRENTLY "Items_a_idx" ON "Items" (a)',
        ),
        (
            "CREATE INDEX /* concurrently */ CONCURRENTLY ON items (a)",
            "CREATE INDEX /* concurrently */ CONCURRENTLY items_a_idx ON items (a)",
        ),
    ],
)
def test_a_concurrent_index_without_a_name_is_an_error_that_names_it(text: str, named: str) -> None:
    error = refuse(f"SELECT 1;\n{text};")
    assert error.hint.endswith(f"\n{named};")
    assert str(error.place) == "f.sql:2"
    assert read(named).statements[0].target is not None


def test_an_index_without_a_name_may_be_built_in_a_transaction() -> None:
    assert read("CREATE INDEX ON items (name)").single_transaction


@pytest.mark.parametrize("text", ["", " \r\n\t", "-- only\n/* comments */", ";;\n;", "BEGIN;\nCOMMIT;"])
@pytest.mark.parametrize("header", ["", "-- migrate: no-transaction\n"])
@pytest.mark.parametrize("mark", ["", BOM])
def test_a_file_without_a_statement_is_one_transaction_that_does_nothing(mark: str, header: str, text: str) -> None:
    script = read(mark + header + text)
    assert script.single_transaction
    assert script.statements == ()


@pytest.mark.parametrize(
    "directive",
    ["-- migrate: no-transaction", "--migrate:no-transaction", "  --  Migrate :  NO-TRANSACTION  \r"],
)
def test_the_directive_no_transaction_makes_each_statement_a_segment(directive: str) -> None:
    text = f"{BOM}/* é */ -- head\n{directive}\n\n-- more\nSELECT 1; SELECT 2;"
    assert [len(segment.statements) for segment in read(text).segments] == [1, 1]


@pytest.mark.parametrize(
    "text",
    [
        "-- to migrate: no-transaction\nSELECT 1; SELECT 2",
        "SELECT 1; -- migrate: the rows\nSELECT 2",
        "SELECT '\n-- migrate: no-transaction\n'; SELECT 2",
        "/*\n-- migrate: no-transaction\n*/ SELECT 1; SELECT 2",
    ],
)
def test_other_comments_are_not_directives(text: str) -> None:
    assert read(text).single_transaction


@pytest.mark.parametrize(
    "comment",
    ["-- migrate no-transaction", "-- Migration: no-transaction", "--migrat:no_transaction", "-- migrates: No-Transactions"],
)
def test_a_comment_that_misses_a_directive_by_a_letter_is_refused(comment: str) -> None:
    error = refuse(f"{comment}\nSELECT 1;")
    assert "is not a directive" in error.message
    assert error.hint == "Did you mean -- migrate: no-transaction?"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("no-transactions", "no-transaction"),
        ("no_transaction", "no-transaction"),
        ("notransaction", "no-transaction"),
        ("irreversable the rows are gone", "irreversible"),
        ("after deploy", "after-deploy"),
        ("afterdeploy", "after-deploy"),
    ],
)
def test_an_unknown_directive_names_the_nearest_one(said: str, meant: str) -> None:
    assert refuse(f"-- migrate: {said}\nSELECT 1;").hint.startswith(f"Did you mean {meant}?\nThe directives are:\n")


@pytest.mark.parametrize(
    "text",
    [
        "-- migrate: after-deploy\nDROP TABLE a;",
        "-- x\n--Migrate: After-Deploy \nDROP TABLE a;",
        "-- migrate: no-transaction\n-- migrate: after-deploy\nVACUUM;",
    ],
)
def test_a_file_may_be_marked_to_run_after_the_deployment(text: str) -> None:
    assert read(text).after_deploy
    assert not read("DROP TABLE a; -- after-deploy").after_deploy


@pytest.mark.parametrize("said", ["-- migrate after-deploy", "-- migrat: after deploy", "-- migrate: after_deployment"])
def test_a_misspelt_mark_of_after_deploy_is_an_error(said: str) -> None:
    assert "Did you mean" in refuse(f"{said}\nDROP TABLE a;").hint


@pytest.mark.parametrize(
    ("said", "milliseconds"),
    [
        ("2s", 2000),
        ("250", 250),
        ("250 ms", 250),
        ("1.5min", 90_000),
        ("1h", 3_600_000),
        ("2d", 172_800_000),
        ("'3s'", 3000),
        ("5000us", 5),
    ],
)
def test_a_file_may_set_its_lock_timeout(said: str, milliseconds: float) -> None:
    assert read(f"-- migrate: Lock-Timeout {said}\nALTER TABLE a ADD n int;").lock_timeout_ms == milliseconds


@pytest.mark.parametrize("said", ["", "0", "0s", "-1s", "400us", "soon", "2 seconds", "2S", "1e3", "30d", "2s please"])
def test_a_lock_timeout_that_is_no_limit_or_no_duration_is_refused(said: str) -> None:
    error = refuse(f"-- head\n-- migrate: lock-timeout {said}\nSELECT 1;")
    assert f"needs a duration (got {said or 'nothing'})" in error.message
    assert str(error.place) == "f.sql:2"


def test_a_second_lock_timeout_is_refused() -> None:
    error = refuse("-- migrate: lock-timeout 2s\n-- migrate: lock-timeout 2s\nSELECT 1;")
    assert "repeated" in error.message
    assert str(error.place) == "f.sql:2"


@pytest.mark.parametrize("said", ["foo", "no transaction", "irreversibly", "no-transaction please", ""])
def test_an_unknown_directive_is_an_error_that_lists_the_known_ones(said: str) -> None:
    error = refuse(f"-- head\n-- migrate: {said}\nSELECT 1;")
    assert repr(said) in error.message
    assert "no-transaction" in error.hint
    assert "irreversible" in error.hint
    assert str(error.place) == "f.sql:2"


def test_a_directive_after_a_statement_is_an_error() -> None:
    error = refuse("SELECT 1;\n-- migrate: no-transaction\nVACUUM;")
    assert "comes after a statement" in error.message
    assert str(error.place) == "f.sql:2"


@pytest.mark.parametrize(
    "text",
    [
        "-- migrate: irreversible the rows are gone",
        f"{BOM}-- Down: x\r\n\r\n-- Migrate: Irreversible: the rows are gone \r\n;",
        "/* x */ --migrate:irreversible — the rows are gone",
    ],
)
def test_a_file_may_be_marked_as_irreversible(text: str) -> None:
    script = read(text)
    assert script.irreversible == "the rows are gone"
    assert script.segments == ()
    assert read("SELECT 1").irreversible is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-- x\n-- migrate: irreversible", "needs a reason"),
        ("-- x\n-- migrate: irreversible: ", "needs a reason"),
        ("-- x\n-- migrate: irreversible because\nSELECT 1;", "but contains SQL"),
        ("-- x\n-- migrate: irreversible because\nSELEC 1;", "but contains SQL"),
    ],
)
def test_irreversible_needs_a_reason_and_nothing_else(text: str, message: str) -> None:
    error = refuse(text)
    assert message in error.message
    assert str(error.place) == "f.sql:2"


def test_reading_does_not_import_the_parser_before_it_is_needed() -> None:
    code = (
        "import sys, tasks.runner.parsing as s; early = 'pglast' in sys.modules;"
        "s.read_script('SELECT 1', file='f', version='v'); print(early, 'pglast' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False True\n"
