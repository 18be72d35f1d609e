"""The verdict on an old file: from its error, its text, and the objects of other files."""

import pytest

from tasks.catalog import Change, Difference, Key
from tasks.legacy.verdicts import (
    Classification,
    Need,
    blank_records,
    find_need,
    find_records,
    is_empty,
    judge_error,
    moves_rows,
    rank_causes,
)
from tasks.runner.errors import RunnerError


def fail(message: str, sqlstate: str) -> RunnerError:
    return RunnerError(message, sqlstate=sqlstate)


NO_SCHEMA = fail('schema "auth" does not exist', "3F000")
NO_TABLE = fail('relation "profiles" does not exist', "42P01")


@pytest.mark.parametrize(
    ("error", "need"),
    [
        (NO_SCHEMA, Need("schema", "auth")),
        (fail('role "anon" does not exist', "42704"), Need("role", "anon")),
        (fail('type "vector" does not exist', "42704"), Need("extension", "vector")),
        (fail('type "mood" does not exist', "42704"), Need("type", "mood")),
        (fail("function uuid_generate_v4() does not exist", "42883"), Need("extension", "uuid-ossp")),
        (fail('column "role_id" does not exist', "42703"), None),
        (NO_TABLE, None),
    ],
)
def test_the_missing_object_is_read_from_the_error(error: RunnerError, need: Need | None) -> None:
    assert find_need(error) == need


def judge(error: RunnerError, text: str = "SELECT 1", cause: str = "", **others: str) -> Classification:
    earlier = (
        [("000_auth", "CREATE TABLE profiles ();", Classification("needs", need=Need("schema", "auth")))]
        if "earlier" in others
        else []
    )
    return judge_error(error, text, cause, earlier, others.values())


def test_a_file_that_fails_because_of_another_is_superseded() -> None:
    verdict = judge(fail('column "x" does not exist\nLINE 1', "42703"), cause="003_new")
    assert (verdict.kind, verdict.cause) == ("superseded", "003_new")
    assert verdict.reason == 'fails after 003_new: column "x" does not exist (42703)'
    assert verdict.goes_aside


def test_a_file_inherits_the_unmet_need_of_the_file_that_it_depends_on() -> None:
    verdict = judge(NO_TABLE, earlier="")
    assert (verdict.kind, verdict.need) == ("needs", Need("schema", "auth"))
    assert "000_auth" in verdict.reason


def test_a_table_that_no_file_creates_is_missing() -> None:
    assert judge(NO_TABLE, other="SELECT * FROM profiles").need == Need("table", "profiles")


def test_a_table_that_another_file_creates_is_an_error_of_order() -> None:
    assert judge(NO_TABLE, other='CREATE UNLOGGED TABLE IF NOT EXISTS public."profiles" (id int)').kind == "fails"


def test_a_file_that_lacks_only_an_extension_is_not_set_aside() -> None:
    assert not judge(fail('type "vector" does not exist', "42704")).goes_aside
    assert judge(NO_SCHEMA).goes_aside


def test_html_is_not_sql() -> None:
    verdict = judge(fail("syntax error", "42601"), text="\n<!DOCTYPE html>\n<p>Not found</p>")
    assert verdict == Classification("fails", "is not SQL (looks like HTML): <!DOCTYPE html>")


def add(*keys: Key) -> Difference:
    return Difference(tuple(Change(key, None, "") for key in keys))


def test_causes_are_ranked_by_the_objects_in_the_error_then_by_those_in_the_text() -> None:
    effects = {
        1: add(Key("table", "public.users")),
        2: add(Key("table", "public.roles"), Key("column", "id", "public.roles")),
        3: add(Key("table", "public.other")),
        4: add(Key("function", "public.level(integer)")),
    }
    text = "CREATE TABLE x (u int REFERENCES users, r int REFERENCES roles (role_id)); SELECT level(1)"
    assert rank_causes(text, 'relation "roles" does not exist', effects) == [2, 4, 1]


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("UPDATE a SET b = 1", True),
        ("INSERT INTO a SELECT 1", True),
        ("INSERT INTO a VALUES (1)", False),
        ("SELECT setval('a_id_seq', 5)", True),
        ("SELECT count(*) FROM a", False),
        ("CREATE TABLE a ()", False),
        ("no sql at all", False),
    ],
)
def test_statements_that_change_rows_are_recognised(text: str, moves: bool) -> None:
    assert moves_rows(text) is moves


@pytest.mark.parametrize(
    ("text", "empty"),
    [("-- only\n/* words */ ;", True), ("SELECT 1", False), ("\ufeff\n", True), ("/* a /* b */ c */", True), ("/* open", False)],
)
def test_a_file_without_statements_is_recognised(text: str, empty: bool) -> None:
    assert is_empty(text) is empty


def test_statements_that_write_to_the_ledger_are_found_and_blanked_without_shifting_lines() -> None:
    text = "SELECT 1;\nINSERT INTO public.schema_migrations (version)\nVALUES ('003');\nSELECT 'schema_migrations';"
    assert find_records(text) == [(2, "INSERT INTO public.schema_migrations (version)\nVALUES ('003');")]
    assert blank_records(text).split("\n")[0::3] == ["SELECT 1;", "SELECT 'schema_migrations';"]
    assert find_records(blank_records(text)) == []
