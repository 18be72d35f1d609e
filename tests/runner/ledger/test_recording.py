"""The record of applied migrations, which the server plans once for a run: made whatever the files do to their session."""

from dataclasses import replace

import pytest

from tasks.runner.ledger.long_texts import LONG_TEXT
from tests.kit.poolers import Pooler
from tests.runner.operating import A, B, C, Operator

PLAIN = "CREATE TABLE a (id int);"
TRICKY = {
    "quotes": "CREATE TABLE b (\"it's\" text DEFAULT 'that''s');",
    "backslashes": r"CREATE TABLE b (path text DEFAULT 'c:\temp\', line text DEFAULT E'a\\b\n');",
    "placeholders": "CREATE TABLE b (share text DEFAULT '100 % %s %(x)s {y} $1 :z');",
    "other_letters": "CREATE TABLE b (name text DEFAULT 'Größe ✅');",
    "carriage_returns": "CREATE TABLE b (\r\n  id int\r\n);\r\n",
    "another_encoding": "SELECT set_config('client_encoding', 'latin' || 1, false); CREATE TABLE b (id int); -- Größe",
    "backslashes_in_literals": r"SET standard_conforming_strings = off; CREATE TABLE b (path text); -- \ '",
}
OWN_ROW = f"CREATE TABLE b ();\nINSERT INTO schema_migrations (version) VALUES ('{B}');"
FORGETTING = {
    "deallocate": "DEALLOCATE ALL;",
    "block": "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$;",
    "discard": "-- migrate: no-transaction\nDISCARD ALL;",
}


@pytest.mark.parametrize("text", TRICKY.values(), ids=TRICKY.keys())
def test_the_stored_text_is_the_files_to_the_letter(any_operator: Operator, text: str) -> None:
    texts = {A: PLAIN, B: text, C: "CREATE TABLE c (id int);"}
    for version, up in texts.items():
        any_operator.write(version, up, f"-- {up.strip()}\nSELECT 1;" if "\n" not in up.strip() else None)
    any_operator.migrate()
    stored = any_operator.database.query("SELECT version, up_text, down_text FROM schema_migrations_scripts ORDER BY 1")
    assert [(version, up) for version, up, _ in stored] == list(texts.items())
    assert [row.state for row in any_operator.read_status().rows] == ["applied"] * 3


@pytest.mark.parametrize("text", [*TRICKY.values(), OWN_ROW], ids=[*TRICKY, "own row"])
def test_a_long_text_is_stored_to_the_letter_too(any_operator: Operator, text: str) -> None:
    filler = "\r\n-- \\N \t ' \\." * (LONG_TEXT // 10)
    any_operator.write(A, PLAIN)
    any_operator.write(B, f"{text}{filler}", "SELECT 1;")
    any_operator.migrate()
    stored = "SELECT up_text, down_text FROM schema_migrations_scripts WHERE version = %s"
    assert any_operator.database.query(stored, B) == [(f"{text}{filler}", "SELECT 1;")]
    assert any_operator.read_states() == {A: "applied", B: "applied"}


@pytest.mark.parametrize("atomic", [False, True])
def test_a_long_text_is_stored_in_an_atomic_run_and_behind_a_pooler(operator: Operator, pgbouncer: Pooler, atomic: bool) -> None:
    texts = {version: f"CREATE TABLE {version[-1]} (id int);\n{'--' * LONG_TEXT}" for version in (A, B)}
    for version, text in texts.items():
        operator.write(version, text)
    replace(operator, url=operator.database.url if atomic else pgbouncer.url).migrate(atomic=atomic)
    assert dict(operator.database.query("SELECT version, up_text FROM schema_migrations_scripts")) == texts


@pytest.mark.parametrize("text", FORGETTING.values(), ids=FORGETTING.keys())
def test_a_file_that_drops_what_is_prepared_hinders_no_record(any_operator: Operator, text: str) -> None:
    for version, up in {A: PLAIN, B: text, C: "CREATE TABLE c (id int);"}.items():
        any_operator.write(version, up)
    any_operator.migrate()
    assert any_operator.read_applied() == [A, B, C]


def test_a_version_that_is_applied_again_has_its_new_texts(operator: Operator) -> None:
    operator.write(A, PLAIN, "DROP TABLE a;")
    operator.write_tables(B)
    operator.migrate()
    operator.database.execute("DELETE FROM schema_migrations WHERE version = %s", A)
    texts = ("CREATE TABLE IF NOT EXISTS a (id bigint);", "DROP TABLE a CASCADE;")
    operator.write(A, *texts)
    operator.migrate()
    stored = "SELECT up_text, down_text FROM schema_migrations_scripts WHERE version = %s"
    assert operator.database.query(stored, A) == [texts]


def test_a_table_that_the_files_put_before_the_ledger_takes_no_record(operator: Operator) -> None:
    operator.write(A, PLAIN)
    operator.write(B, "CREATE SCHEMA other; CREATE TABLE other.schema_migrations (version text); SET search_path = other;")
    operator.write(C, "CREATE TABLE public.c (id int);")
    operator.migrate()
    assert operator.read_applied() == [A, B, C]
    assert operator.database.query("TABLE other.schema_migrations") == []
