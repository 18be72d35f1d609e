"""The verdict on an old file: from its error, its text, and the objects of other files."""

import pytest

from tasks.catalog import Change, Difference, Key
from tasks.legacy.needs import Need, find_need, find_platform_role
from tasks.legacy.verdicts import (
    Classification,
    Others,
    blank_records,
    find_records,
    is_empty,
    judge_error,
    list_names,
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
        (NO_SCHEMA, Need("schema", "auth", "Supabase")),
        (fail('schema "app" does not exist', "3F000"), Need("schema", "app")),
        (fail('role "anon" does not exist', "42704"), Need("role", "anon", "Supabase")),
        (fail('role "reader" does not exist', "42704"), Need("role", "reader")),
        (fail('type "vector" does not exist', "42704"), Need("extension", "vector")),
        (fail('type "mood" does not exist', "42704"), Need("type", "mood")),
        (fail("function uuid_generate_v4() does not exist", "42883"), Need("extension", "uuid-ossp")),
        (fail('column "role_id" does not exist', "42703"), None),
        (NO_TABLE, Need("table", "profiles")),
        (fail("function app.touch(integer) does not exist", "42883"), Need("function", "app.touch")),
        (fail('text search configuration "simple_de" does not exist', "42704"), Need("text search configuration", "simple_de")),
    ],
)
def test_the_missing_object_is_read_from_the_error(error: RunnerError, need: Need | None) -> None:
    assert find_need(error) == need


def judge(error: RunnerError, text: str = "SELECT 1", cause: str = "", **others: str) -> Classification:
    """Classify a file; `earlier` needs what only Supabase has, `broken` fails, `later` runs after it, `outside` is not read."""
    needs = Classification("needs", need=Need("schema", "auth", "Supabase"))
    earlier = [("000_auth", others["earlier"], needs)] if "earlier" in others else []
    earlier += [("000_broken", others["broken"], Classification("fails"))] if "broken" in others else []
    later = [("002_later", others["later"])] if "later" in others else []
    return judge_error(error, text, cause, Others(earlier, later, lambda _: others.get("outside", "")))


def test_a_file_that_fails_because_of_another_is_superseded() -> None:
    verdict = judge(fail('column "x" does not exist\nLINE 1', "42703"), cause="003_new")
    assert (verdict.kind, verdict.cause) == ("superseded", "003_new")
    assert verdict.reason == 'fails after 003_new: column "x" does not exist (42703)'
    assert verdict.goes_aside


def test_a_file_inherits_the_unmet_need_of_the_file_that_creates_what_it_needs() -> None:
    verdict = judge(NO_TABLE, earlier="CREATE TABLE profiles ();")
    assert verdict.need == Need("schema", "auth", "Supabase")
    assert verdict.reason == "needs what 000_auth creates, which needs the schema auth"
    assert verdict.goes_aside
    assert judge(NO_TABLE, earlier="SELECT * FROM profiles").reason.startswith("needs the table profiles, which no file creates")


def test_a_file_that_needs_a_broken_one_waits_for_it_without_a_fault_of_its_own() -> None:
    verdict = judge(NO_TABLE, broken="CREATE TABLE profiles (")
    assert (verdict.kind, verdict.reason) == ("needs", "needs what 000_broken creates, which fails")
    assert verdict.stops
    assert not verdict.goes_aside


@pytest.mark.parametrize(
    ("error", "need"),
    [
        (NO_TABLE, "the table profiles"),
        (fail('type "mood" does not exist', "42704"), "the type mood"),
        (fail('schema "app" does not exist', "3F000"), "the schema app"),
        (fail('role "reader" does not exist', "42704"), "the role reader"),
        (fail("function app.touch() does not exist", "42883"), "the function app.touch"),
    ],
)
def test_a_file_that_needs_what_no_file_creates_fails_and_is_not_set_aside(error: RunnerError, need: str) -> None:
    verdict = judge(error)
    assert verdict.kind == "fails"
    assert verdict.reason.startswith(f"needs {need}, which no file creates")
    assert not verdict.goes_aside
    other = judge(error, outside="scripts/init.sql")
    assert other.reason.startswith(f"needs {need}, which scripts/init.sql creates")
    assert other.creator == "scripts/init.sql"
    assert other.stops


@pytest.mark.parametrize(
    "text",
    [
        'CREATE UNLOGGED TABLE IF NOT EXISTS public."profiles" (id int)',
        "CREATE OR REPLACE VIEW profiles AS SELECT 1",
        "ALTER TABLE people RENAME TO profiles",
        "DO $$ BEGIN CREATE TABLE profiles (); END $$",
    ],
)
def test_a_table_that_a_later_file_creates_is_an_error_of_order(text: str) -> None:
    verdict = judge(NO_TABLE, later=text)
    assert verdict.kind == "fails"
    assert "which 002_later creates, and that runs later" in verdict.reason


def test_a_comment_creates_nothing() -> None:
    assert "no file creates" in judge(NO_TABLE, later="-- CREATE TABLE profiles ();\nSELECT 'create table profiles'").reason


def test_a_file_that_lacks_only_an_extension_is_not_set_aside() -> None:
    verdict = judge(fail('type "vector" does not exist', "42704"))
    assert not verdict.goes_aside
    assert not verdict.stops
    assert judge(NO_SCHEMA).goes_aside


def test_a_schema_in_which_a_file_creates_objects_is_not_that_of_a_platform() -> None:
    assert not judge(NO_SCHEMA, text="CREATE TABLE auth.accounts (id int)").goes_aside


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("GRANT SELECT ON a TO anon;", "anon"),
        ("CREATE POLICY p ON a TO reader, authenticated USING (true);", "authenticated"),
        ("-- GRANT SELECT ON a TO anon", ""),
        ("INSERT INTO a VALUES ('to anon')", ""),
        ("CREATE TABLE anon ();", ""),
    ],
)
def test_a_role_that_only_a_platform_has_is_found_in_the_text(text: str, role: str) -> None:
    need = find_platform_role(text, ())
    assert (need.name if need else "") == role
    assert find_platform_role(text, [role]) is None


def test_html_is_not_sql() -> None:
    verdict = judge(fail("syntax error", "42601"), text="\n<!DOCTYPE html>\n<p>Not found</p>")
    assert verdict == Classification("fails", "is not SQL (looks like HTML): <!DOCTYPE html>")


def test_the_names_of_what_a_file_creates_are_unqualified() -> None:
    keys = (Key("table", "public.roles"), Key("column", "id", "public.roles"), Key("function", "public.level(integer)"))
    assert list_names(Difference(tuple(Change(key, None, "") for key in keys))) == {"roles", "id", "level"}


def test_causes_are_ranked_by_the_objects_in_the_error_then_by_those_in_the_text() -> None:
    created = {1: {"users"}, 2: {"roles", "id"}, 3: {"other"}, 4: {"level"}}
    text = "CREATE TABLE x (u int REFERENCES users, r int REFERENCES roles (role_id)); SELECT level(1)"
    assert rank_causes(text, 'relation "roles" does not exist', created) == [2, 4, 1]


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
