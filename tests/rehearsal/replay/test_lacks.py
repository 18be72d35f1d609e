"""What the scratch server lacks accuses no file: it is named, and what needs it is not checked."""

import pytest

from tasks.rehearsal.lacks import Lack
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.missing import find_lack
from tasks.rehearsal.replay.replay import read_left_out, replay, run_migration, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tests.rehearsal.scratching import list_tables

UNKNOWN = Lack("extension", "nobody_knows")
TEXTS = {
    "CREATE EXTENSION nobody_knows": UNKNOWN,
    "CREATE EXTENSION IF NOT EXISTS nobody_knows SCHEMA public CASCADE": UNKNOWN,
    "DO $$ BEGIN EXECUTE format('CREATE EXTENSION %I', 'nobody' || '_knows'); END $$": UNKNOWN,
    "CREATE EXTENSION vector VERSION '99.9'": Lack("extension version", "vector", "99.9"),
    "CREATE FUNCTION f() RETURNS int LANGUAGE plnobody AS $$ 1 $$": Lack("extension", "plnobody"),
    "CREATE TABLE t (a int) USING nobody_am": Lack("access method", "nobody_am"),
    "CREATE TABLE t (a public.geometry)": Lack("extension", "postgis"),
    "CREATE TABLE t (a int) TABLESPACE fast": Lack("tablespace", "fast"),
    "CREATE COLLATION c (locale = 'xx_XX.utf8')": Lack("locale", "xx_XX.utf8"),
}
NOT_BUILT = "\nThis functionality requires the server to be built with {} support."
DICTIONARY = 'could not open dictionary file "/usr/share/tsearch_data/de.dict": No such file or directory'
CONTROL = 'could not open extension control file "/usr/share/x/extension/uuid-ossp.control": No such file or directory'
UPDATE = 'extension "hstore" has no update path from version "1.8" to version "9"'
MESSAGES = {
    ("0A000", "ICU is not supported in this build"): Lack("build", "ICU"),
    ("0A000", f"unsupported XML feature{NOT_BUILT.format('libxml')}"): Lack("build", "libxml"),
    ("0A000", f"compression method lz4 not supported{NOT_BUILT.format('lz4')}"): Lack("build", "lz4"),
    ("58P01", CONTROL): Lack("extension", "uuid-ossp"),
    ("22023", UPDATE): Lack("extension version", "hstore", "9"),
    ("F0000", DICTIONARY): Lack("file", "de.dict"),
    ("42704", 'role "pg_nothing" does not exist'): None,
    ("42704", 'type "mood" does not exist'): None,
    ("42704", 'type "vector" does not exist'): None,
    ("42P01", 'relation "users" does not exist'): None,
}


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_server_lacks_is_named_and_the_rest_of_the_file_runs(scratch: ScratchServer, text: str) -> None:
    (outcome,) = replay(scratch, [RehearsedMigration("one", f"CREATE TABLE a ();\n{text};\nCREATE TABLE b ();", shown="one.sql")])
    assert outcome.error is None
    assert [(each.lack, each.shown.partition(" ")[0]) for each in outcome.lacking] == [(TEXTS[text], "one.sql:2")]
    assert [key.name for key, _ in outcome.after.of_kind("table") if key.name in ("public.a", "public.b")] == [
        "public.a",
        "public.b",
    ]


@pytest.mark.parametrize(("sqlstate", "message"), MESSAGES)
def test_a_lack_is_read_from_the_message(scratch: ScratchServer, sqlstate: str, message: str) -> None:
    found = find_lack(RunnerError(message, sqlstate=sqlstate), None, scratch.administer())
    assert found == MESSAGES[sqlstate, message]


def test_what_follows_from_a_lack_names_its_cause(scratch: ScratchServer) -> None:
    first = RehearsedMigration("first", "CREATE EXTENSION nobody_knows;\nCREATE TABLE t (a nobody_type);", shown="first.sql")
    second = RehearsedMigration(
        "second",
        "CREATE TABLE u (id int);\nCREATE INDEX i ON t (a);\nSELECT nobody_function(1);",
        "DROP INDEX i; DROP TABLE u; DROP EXTENSION nobody_knows;",
        "second.sql",
    )
    for _ in range(2):  # The second time, the state comes from the cache.
        with state_after(scratch, [first]):
            outcomes = list(replay(scratch, [first, second]))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [each.lack for outcome in outcomes for each in outcome.lacking] == [UNKNOWN] * 4
    assert outcomes[1].unchecked == (
        "second.sql:2 CREATE INDEX i ON t (a): needs t, which first.sql:2 would have made",
        "second.sql:3 SELECT nobody_function(1): needs nobody_function, which first.sql:1 would have made",
    )
    with state_after(scratch, [first, second]) as database:
        assert list_tables(database) == ["u"]
        assert run_migration(database, second, "down") is None
        assert {entry.lack for entry in read_left_out(database)} == {UNKNOWN}


def test_what_the_command_excludes_is_not_lacking(scratch: ScratchServer) -> None:
    migration = RehearsedMigration("one", "CREATE TABLE t (a int) TABLESPACE fast;\nCREATE EXTENSION nobody_knows;")
    with ScratchServer(scratch.url, without=["fast", "nobody_knows"]) as server:
        (outcome,) = replay(server, [migration])
        server.drop_states()
    assert (outcome.error, outcome.lacking, len(outcome.unchecked)) == (None, (), 2)


def test_a_wrong_name_is_an_error_beside_a_known_extension_that_is_lacking(scratch: ScratchServer) -> None:
    lacking = RehearsedMigration("one", "CREATE EXTENSION postgis;\nCREATE TABLE t (g geometry);")
    _, wrong = replay(scratch, [lacking, RehearsedMigration("two", "CREATE TABLE u (a typo);")])
    assert wrong.error is not None
    assert 'type "typo" does not exist' in wrong.error.message
