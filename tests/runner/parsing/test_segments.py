"""Which statements share a transaction."""

import re

import pytest

from tasks.postgres.nontransactional import REFUSALS, Refusal
from tasks.runner.parsing import ScriptError, Segment, Target, read_script

NO_TRANSACTION = "-- migrate: no-transaction\n"
INDEX = "CREATE INDEX CONCURRENTLY i ON t (a)"


def show(segment: Segment) -> str:
    """Write a segment as its statements' texts: in brackets those in a transaction, with its BEGIN if it has options."""
    texts = "; ".join(statement.text for statement in segment.statements)
    begin = f"{segment.begin}: " if segment.begin else ""
    return f"[{begin}{texts}]" if segment.transactional else texts


def group(text: str) -> list[str]:
    return [show(segment) for segment in read_script(text, file="f.sql", version="v").segments]


def spell(text: str) -> str:
    """Write out the letters S and A to E, which stand for statements."""
    return re.sub(r"\b[SA-E]\b", r"TABLE \g<0>", text)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("A; B", ["[A; B]"]),
        ("BEGIN; A; B; COMMIT;", ["[A; B]"]),
        ("begin work; A; end transaction;", ["[A]"]),
        ("START TRANSACTION; A; COMMIT WORK;", ["[A]"]),
        ("S; BEGIN; A; COMMIT; B; C;", ["[S; A; B; C]"]),
        ("BEGIN; COMMIT; A;", ["[A]"]),
        ("BEGIN; A; COMMIT; BEGIN; COMMIT;", ["[A]"]),
        ("BEGIN; A; COMMIT; BEGIN; B; COMMIT;", ["[A]", "[B]"]),
        ("S; BEGIN; A; COMMIT; B; C; BEGIN; D; COMMIT; E", ["[S]", "[A]", "[B; C]", "[D]", "[E]"]),
        ("SAVEPOINT s; A; ROLLBACK TO s; RELEASE s;", ["[SAVEPOINT s; A; ROLLBACK TO s; RELEASE s]"]),
        ("BEGIN; SAVEPOINT s; A; ROLLBACK TO SAVEPOINT s; COMMIT;", ["[SAVEPOINT s; A; ROLLBACK TO SAVEPOINT s]"]),
        (f"{INDEX};", [INDEX]),
        (f"A; B; {INDEX}; VACUUM; C; D;", ["[A; B]", INDEX, "VACUUM", "[C; D]"]),
        (f"S; BEGIN; A; COMMIT; B; {INDEX}; C;", ["[S]", "[A]", "[B]", INDEX, "[C]"]),
        ("A; COMMIT PREPARED 'x'; B", ["[A]", "COMMIT PREPARED 'x'", "[B]"]),
        ("CALL p(); DO $$BEGIN END$$", ["[CALL p(); DO $$BEGIN END$$]"]),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; A; COMMIT;",
            ["[BEGIN ISOLATION LEVEL SERIALIZABLE: A]"],
        ),
        (
            "S; START TRANSACTION READ WRITE, NOT DEFERRABLE; A; COMMIT; B",
            ["[START TRANSACTION READ WRITE, NOT DEFERRABLE: S; A; B]"],
        ),
        (
            "BEGIN; A; COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ; B; COMMIT; C",
            ["[A]", "[BEGIN ISOLATION LEVEL REPEATABLE READ: B]", "[C]"],
        ),
        (
            "CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT 2; END; A",
            ["[CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT 1; SELECT 2; END; A]"],
        ),
        (NO_TRANSACTION + "A; B;", ["[A]", "[B]"]),
        (NO_TRANSACTION + f"A; {INDEX}; B;", ["[A]", INDEX, "[B]"]),
        (NO_TRANSACTION + "A; CALL p(); DO $$BEGIN END$$;", ["[A]", "CALL p()", "[DO $$BEGIN END$$]"]),
        (NO_TRANSACTION + "S; BEGIN; A; CALL p(); COMMIT; B; C;", ["[S]", "[A; CALL p()]", "[B]", "[C]"]),
        (NO_TRANSACTION + "BEGIN; A; B; COMMIT;", ["[A; B]"]),
    ],
)
def test_statements_share_a_transaction_if_they_can(text: str, segments: list[str]) -> None:
    assert group(spell(text)) == [spell(segment) for segment in segments]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.words)
def test_what_a_transaction_refuses_is_a_segment_of_its_own(refusal: Refusal) -> None:
    assert group(f"SELECT 1; {refusal.refused}; SELECT 2;") == ["[SELECT 1]", refusal.refused, "[SELECT 2]"]
    assert not refusal.accepted or len(group(f"SELECT 1; {refusal.accepted};")) == 1


def test_an_example_is_grouped_to_the_letter() -> None:
    text = f"SET lock_timeout = '1s';\nCREATE TABLE t (a integer);\n{INDEX};\nINSERT INTO t VALUES (1);\n"
    assert group(text) == [
        "[SET lock_timeout = '1s'; CREATE TABLE t (a integer)]",
        INDEX,
        "[INSERT INTO t VALUES (1)]",
    ]


def test_a_call_outside_a_transaction_may_commit_a_part_of_its_work() -> None:
    script = read_script(f"{NO_TRANSACTION}CALL p(); DO $$BEGIN COMMIT; END$$", file="f.sql", version="v")
    assert [(statement.transactional, statement.target) for statement in script.statements] == [
        (False, Target("commits")),
        (False, Target("commits")),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$BEGIN COMMIT; END$$",
        "DO LANGUAGE plpgsql 'BEGIN ROLLBACK; END'",
        "DO $$BEGIN FOR i IN 1..3 LOOP BEGIN IF true THEN COMMIT AND CHAIN; END IF; END; END LOOP; END$$",
        "DO $$DECLARE r app.t%ROWTYPE; BEGIN CASE WHEN true THEN NULL; ELSE COMMIT; END CASE; END$$",
        "DO $$BEGIN CALL own(); END$$",
        "CALL own()",
        "CALL app.own(1)",
        "CALL outer_one()",
    ],
)
@pytest.mark.parametrize("header", ["", NO_TRANSACTION])
def test_what_ends_transactions_is_a_segment_of_its_own(statement: str, header: str) -> None:
    procedures = (
        "CREATE PROCEDURE app.own() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$;"
        "CREATE PROCEDURE outer_one() LANGUAGE plpgsql AS $$BEGIN CALL own(); END$$;"
    )
    assert group(f"{header}{procedures} SELECT 1; {statement}; SELECT 2;")[-2:] == [statement, "[SELECT 2]"]


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$BEGIN RAISE NOTICE 'COMMIT'; END$$",
        "DO $$BEGIN /* COMMIT; */ NULL; END$$",
        "DO $$BEGIN INSERT INTO log VALUES ('rollback'); END$$",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$",
    ],
)
@pytest.mark.parametrize("header", ["", NO_TRANSACTION])
def test_what_ends_no_transaction_shares_one_with_its_record(statement: str, header: str) -> None:
    assert f"[{statement}]" in group(f"{header}{statement};")


@pytest.mark.parametrize(
    "statement",
    ["CALL p()", "DO $$BEGIN CALL p(); END$$", "DO LANGUAGE plpython3u 'plpy.commit()'", "DO $$BEGIN COMMIT oops; END$$"],
)
def test_what_only_the_server_knows_runs_outside_a_transaction_if_the_file_requires_it(statement: str) -> None:
    assert group(f"{statement};") == [f"[{statement}]"]
    assert group(f"{NO_TRANSACTION}{statement};") == [statement]


@pytest.mark.parametrize(
    ("text", "number", "segments"),
    [
        ("A; B; C; D", 2, ["[A]", "B", "[C; D]"]),
        ("A; B", 1, ["A", "[B]"]),
        ("A", 1, ["A"]),
        ("A; A", 2, ["[A]", "A"]),
        ("A; VACUUM; B; C", 4, ["[A]", "VACUUM", "[B]", "C"]),
        ("A; BEGIN READ WRITE; B; C; COMMIT; D; E", 4, ["[A]", "[BEGIN READ WRITE: B; C]", "D", "[E]"]),
        ("A; BEGIN; B; COMMIT; C", 2, ["[A; B; C]"]),
        ("A; VACUUM; B", 2, ["[A]", "VACUUM", "[B]"]),
        (NO_TRANSACTION + "A; B", 2, ["[A]", "B"]),
    ],
)
def test_a_statement_that_the_server_refuses_in_a_transaction_is_separated(text: str, number: int, segments: list[str]) -> None:
    script = read_script(spell(text), file="f.sql", version="v")
    assert [show(segment) for segment in script.separate(number).segments] == [spell(segment) for segment in segments]


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("BEGIN;\nSELECT 1;\nBEGIN;\nCOMMIT;", 3, "BEGIN inside the transaction that line 1 begins", "COMMIT;"),
        ("SELECT 1;\n\nCOMMIT;", 3, "COMMIT without a BEGIN before it", "BEGIN;"),
        ("BEGIN;\nSELECT 1;\nCOMMIT;\nEND;", 4, "END without a BEGIN before it", "BEGIN;"),
        ("SELECT 1;\nROLLBACK;", 2, "ROLLBACK would undo", "COMMIT;"),
        ("BEGIN;\nSELECT 1;\nROLLBACK;", 3, "ROLLBACK would undo", "COMMIT;"),
        ("BEGIN;\nSELECT 1;\nABORT;", 3, "ROLLBACK would undo", "COMMIT;"),
        ("-- é\nBEGIN;\nSELECT 1;", 2, "BEGIN without a COMMIT", "COMMIT;"),
        ("BEGIN;\nSELECT 1;\nPREPARE TRANSACTION 'x';", 3, "PREPARE TRANSACTION", "COMMIT;"),
        ("BEGIN;\nSELECT 1;\nCOMMIT AND CHAIN;\nCOMMIT;", 3, "COMMIT AND CHAIN", "COMMIT;\nBEGIN;"),
        (
            f"BEGIN;\nSELECT 1;\n{INDEX};\nCOMMIT;",
            3,
            "CREATE INDEX CONCURRENTLY cannot run in the transaction that line 1 begins",
            f"COMMIT;\n{INDEX};\nBEGIN;",
        ),
        (
            "BEGIN;\nDO $$BEGIN COMMIT; END$$;\nCOMMIT;",
            2,
            "DO $$BEGIN COMMIT; END$$ cannot run in the transaction",
            "COMMIT;\nDO $$BEGIN COMMIT; END$$;\nBEGIN;",
        ),
        (NO_TRANSACTION + "BEGIN;\nVACUUM;\nCOMMIT;", 3, "VACUUM cannot run in the transaction", "COMMIT;\nVACUUM;"),
    ],
)
def test_a_begin_and_commit_that_do_not_match_are_errors_with_the_line(text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        group(text)
    error = caught.value
    assert str(error.place) == f"f.sql:{line}"
    assert message in error.message
    assert hint in error.hint
    assert error.state == "Nothing was changed."


def test_the_fix_that_an_error_shows_works() -> None:
    with pytest.raises(ScriptError) as caught:
        group(f"BEGIN; SELECT 1; {INDEX}; SELECT 2; COMMIT;")
    fix = caught.value.hint.partition("\n")[2]
    assert group(f"BEGIN; SELECT 1; {fix} SELECT 2; COMMIT;") == ["[SELECT 1]", INDEX, "[SELECT 2]"]


def test_different_segments_have_different_checksums() -> None:
    def checksums(text: str) -> list[str]:
        return [segment.checksum(timeouts=True) for segment in read_script(text, file="f.sql", version="v").segments]

    plain = checksums("SELECT 1; SELECT 2;")
    assert checksums("-- more\nBEGIN;\n\nSELECT 1;\n/* x */ SELECT 2 -- y\n; COMMIT;") == plain
    others = [
        checksums(text)[0]
        for text in (
            "SELECT 1; SELECT 3;",
            "SELECT 1;",
            "SELECT 12;",
            "COPY t FROM stdin;\n1\n\\.\n",
            "COPY t FROM stdin;\n2\n\\.\n",
            "COPY t FROM stdin;",
            "COPY t FROM '/x';",
            f"{NO_TRANSACTION}CALL p()",
            "CALL p()",
        )
    ]
    assert len({*others, *plain}) == len(others) + 1
    assert len(plain[0]) == 64
    assert checksums("SELECT 'a'; SELECT") != checksums("SELECT 'a'SELECT")


def test_the_settings_before_a_segment_are_those_of_the_session() -> None:
    script = read_script(
        "SET search_path = app; SET LOCAL role = x; SELECT pg_catalog.set_config('a.b', 'c', false);"
        f"SELECT set_config('a.b', 'c', true); {INDEX}; RESET a.b; SET TRANSACTION READ ONLY; VACUUM;",
        file="f.sql",
        version="v",
    )
    search_path, set_config, reset = (
        "SET search_path = app",
        "SELECT pg_catalog.set_config('a.b', 'c', false)",
        "RESET a.b",
    )
    shown = [[statement.text for statement in script.settings_before(index)] for index in range(4)]
    assert shown == [[], [search_path, set_config], [search_path, set_config], [search_path, set_config, reset]]
