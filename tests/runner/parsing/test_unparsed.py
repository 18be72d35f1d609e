"""Texts that the parser does not know."""

import pytest

from tasks.runner.parsing import Script, ScriptError, Target, read_script

NEWER = "CREATE GADGET g WITH (a = 1)"
COPY = "COPY t FROM stdin;\n1\n\\.\n"
"""Is refused in a text that cannot be parsed."""


def read(text: str) -> Script:
    return read_script(text, file="f.sql", version="v")


def test_a_text_that_the_parser_does_not_know_goes_whole_in_one_transaction() -> None:
    text = f"\ufeff-- é\nSELECT 1;\n{NEWER};\n"
    script = read(text)
    [statement] = script.statements
    assert not script.parsed
    assert script.single_transaction
    assert not script.records_itself
    assert (statement.text, statement.line, statement.offset, statement.kind) == (text[1:], 1, 1, "")


@pytest.mark.parametrize(
    ("text", "line", "column", "source", "complaint"),
    [
        (f"SELECT 'é';\r\n\r\nSELECT 'ü'; {NEWER};\r\n", 3, 20, f"SELECT 'ü'; {NEWER};", "GADGET"),
        ("SELECT 1;\nSELECT (2", 2, 10, "SELECT (2", "end of input"),
        ("SELECT 1;\nSELECT (2\n\n", 2, 10, "SELECT (2", "end of input"),
        ("SELECT 1;\nSELECT 'é\r\n", 2, 8, "SELECT 'é", """unterminated quoted string at or near "'é\""""),
        ("SELECT 1;\nSELECT 'é\nSELECT 2;", 2, 8, "SELECT 'é", """unterminated quoted string at or near "'é …\""""),
        ("SELECT : 'name';", 1, 8, "SELECT : 'name';", 'near ":"'),
    ],
)
@pytest.mark.parametrize("first", ["", "\ufeff"], ids=["", "BOM"])
def test_a_refusal_of_a_text_that_cannot_be_parsed_has_the_place_of_the_parse_error(
    first: str, text: str, line: int, column: int, source: str, complaint: str
) -> None:
    assert not read(first + text).parsed
    with pytest.raises(ScriptError) as caught:
        read(first + COPY + text)
    place = caught.value.place
    assert place is not None
    assert (place.file, place.line, place.column, place.source) == ("f.sql", COPY.count("\n") + line, column, source)
    assert complaint in caught.value.message


def test_an_expression_too_deep_for_the_parser_is_left_to_the_server() -> None:
    text = "SELECT 'é';\n\nCREATE VIEW v AS SELECT 1" + "+1" * 30_000
    assert not read(text).parsed
    with pytest.raises(ScriptError, match="stack depth") as caught:
        read(COPY + text)
    assert str(caught.value.place) == "f.sql:6"


@pytest.mark.parametrize(
    ("begin", "commit"),
    [("BEGIN", "COMMIT"), ("begin work", "end"), ("START  TRANSACTION", "COMMIT\nTRANSACTION"), ("BEGIN", "END /* x\n*/ WORK")],
)
def test_one_plain_pair_around_it_is_blanked(begin: str, commit: str) -> None:
    text = f"-- head\n{begin};\n{NEWER};\n{commit};\nSELECT 1;"
    [statement] = read(text).statements
    assert statement.text.replace(";", "").split() == ["--", "head", *NEWER.split(), "SELECT", "1"]
    assert len(statement.text) == len(text)
    assert statement.text[text.index(NEWER) :].startswith(NEWER)
    assert statement.text[text.index("SELECT") :] == "SELECT 1;"
    assert statement.text.count("\n") == text.count("\n")


def test_the_pair_is_found_around_bodies_that_hold_semicolons() -> None:
    bodies = (
        "CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; END;"
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v);"
    )
    [statement] = read(f"BEGIN; {bodies} {NEWER}; COMMIT;").statements
    assert statement.text == f"     ; {bodies} {NEWER};       ;"


@pytest.mark.parametrize(
    "text",
    [
        "CREATE FUNCTION f() RETURNS integer BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 2; END;",
        "CREATE OR REPLACE PROCEDURE f() BEGIN ATOMIC SELECT 2; END;",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v);",
        "CREATE TABLE t (a integer); SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; RELEASE a;",
        "DO $$ BEGIN; COMMIT; END; $$; SELECT 'BEGIN; COMMIT;'; -- COMMIT;",
        'SELECT 1 AS "begin"; ALTER TABLE t RENAME a TO "end";',
    ],
)
def test_other_words_are_not_taken_for_a_transaction(text: str) -> None:
    [statement] = read(f"{text}\n{NEWER};").statements
    assert statement.text == f"{text}\n{NEWER};"


@pytest.mark.parametrize(
    "text",
    [
        f"BEGIN;\n{NEWER};",
        f"{NEWER};\nCOMMIT;",
        f"COMMIT;\n{NEWER};\nBEGIN;",
        f"BEGIN;\n{NEWER};\nROLLBACK;",
        f"BEGIN;\n{NEWER};\nABORT",
        f"BEGIN;\n{NEWER};\nPREPARE TRANSACTION 'x';",
        f"BEGIN;\n{NEWER};\nCOMMIT AND CHAIN;",
        f"BEGIN READ ONLY;\n{NEWER};\nCOMMIT;",
        f"BEGIN; SELECT 1; COMMIT;\n{NEWER}; BEGIN; SELECT 1; COMMIT;",
        f"SELECT 1;\n{NEWER}; SELECT '\nCOPY'; COPY t FROM stdin;\n1\n\\.\n",
    ],
)
def test_what_the_server_must_not_get_whole_is_an_error_where_the_parser_stumbled(text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        read(text)
    error = caught.value
    assert "GADGET" in error.message
    assert error.place is not None
    assert "GADGET" in error.place.source
    assert error.hint
    assert error.state == "Nothing was changed."


def test_a_backslash_command_is_an_error_there_too() -> None:
    with pytest.raises(ScriptError, match="command of psql"):
        read(f"{NEWER};\n\\i x")


def test_no_transaction_sends_it_outside_a_transaction() -> None:
    [segment] = read(f"-- migrate: no-transaction\n{NEWER};").segments
    assert not segment.transactional
    assert segment.statements[0].target == Target("other")
