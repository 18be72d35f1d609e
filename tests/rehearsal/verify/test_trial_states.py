"""A migration is tried in the database of the one before it only if that is exactly as if each had run once."""

from typing import Any

import pytest

from tasks.rehearsal.scratch.server import ScratchServer
from tests.rehearsal.verifying import VERSIONS, list_found, make_migrations, verify_migrations

T = ("CREATE TABLE t (id int PRIMARY KEY, note text);", "DROP TABLE t;")
ROWS = ("INSERT INTO t VALUES (1, 'one'), (2, 'two');", "DELETE FROM t;")
COUNTED = "CREATE SEQUENCE s; SELECT nextval('s');"


def needs(condition: str) -> tuple[str, str]:
    """Return a migration that fails unless a condition is true in the state before it."""
    return f"DO $$ BEGIN ASSERT ({condition}), 'another state'; END $$;", "SELECT 1;"


LOST = {
    "rows that down removes": (
        ("ALTER TABLE t DROP COLUMN note;", "ALTER TABLE t ADD COLUMN note text;"),
        needs("(SELECT count(*) FROM t) = 2"),
    ),
    "values that down does not restore": (
        ("ALTER TABLE t ADD COLUMN x int; ALTER TABLE t DROP COLUMN x;", "UPDATE t SET note = NULL;"),
        needs("(SELECT count(note) FROM t) = 2"),
    ),
    "a sequence that up advances": (("SELECT nextval('s');", "SELECT 1;"), needs("(SELECT last_value FROM s) = 2")),
    "a large object": (("SELECT lo_create(0);", "SELECT 1;"), needs("(SELECT count(*) FROM pg_largeobject_metadata) = 1")),
    "the order of columns": (
        ("ALTER TABLE t DROP COLUMN id; ALTER TABLE t ADD COLUMN id int;", "SELECT 1;"),
        needs("(SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
              " AND NOT attisdropped) = ARRAY['note', 'id']"),
    ),
    "a setting of the database": (
        ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.x = %L', current_database(), 'a, b'); END $$;", None),
        needs("current_setting('app.x') = 'a, b'"),
    ),
    "a list in a setting of the role": (
        (
            "DO $$ BEGIN EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = public, \"a b\"', current_user,"
            " current_database()); END $$;",
            None,
        ),
        needs("current_setting('search_path') = 'public, \"a b\"'"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changing", "checking"), LOST.values(), ids=LOST.keys())
def test_what_a_trial_leaves_behind_does_not_reach_the_next_one(
    scratch: ScratchServer, changing: tuple[str, str | None], checking: tuple[str, str]
) -> None:
    migrations = make_migrations(T, ROWS, (COUNTED, "DROP SEQUENCE s;"), changing, checking, checking)
    *_, last, once_more = verify_migrations(scratch, migrations, chosen=VERSIONS[:6])
    assert (list_found(last), list_found(once_more)) == ([], [])


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the scratch databases that are created from now on, without cached states."""
    names: list[str] = []
    make = ScratchServer.make

    def note(server: ScratchServer, template: str = "") -> Any:
        names.append(template)
        return make(server, template)

    monkeypatch.setattr(ScratchServer, "make", note)
    return names


def test_a_history_that_is_restored_exactly_needs_one_database(scratch: ScratchServer, created: list[str]) -> None:
    columns = [(f"ALTER TABLE t ADD COLUMN c{number} int;", f"ALTER TABLE t DROP COLUMN c{number};") for number in range(5)]
    results = verify_migrations(scratch, make_migrations(T, *columns), chosen=VERSIONS[:6])
    assert [list_found(each) for each in results] == [[]] * 6
    assert len(created) == 1


def test_one_with_rows_costs_a_copy(scratch: ScratchServer, created: list[str]) -> None:
    defaults = ("ALTER TABLE t ADD COLUMN at timestamptz DEFAULT clock_timestamp();", "ALTER TABLE t DROP COLUMN at;")
    verify_migrations(scratch, make_migrations(T, ROWS, defaults, ("SELECT 1;", "SELECT 1;")), chosen=VERSIONS[:4])
    assert len(created) == 3
