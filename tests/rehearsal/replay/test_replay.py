"""Migrations run on scratch as they do on any database, each with its outcome."""

from collections.abc import Callable

import pytest

from tasks.catalog import Key
from tasks.rehearsal.errors import ServerWideError, TimeLimitError
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import replay, run_migration, state_after, try_migration
from tasks.rehearsal.scratch.server import ScratchDatabase, ScratchServer
from tasks.runner.errors import RefusedError, RunnerError
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.rehearsal.limits import limit_sleep
from tests.rehearsal.scratching import list_databases, list_tables, make_table, query

A, B, C = (make_table(name) for name in "abc")

WORKING = {
    "own transaction": "BEGIN;\nCREATE TABLE made (id int);\nCOMMIT;\nSELECT count(*) FROM made;",
    "two transactions": "BEGIN; CREATE TABLE made (id int); COMMIT; BEGIN; ALTER TABLE made ADD x int; COMMIT;",
    "concurrent index": "CREATE TABLE made (id int);\nCREATE INDEX CONCURRENTLY made_id ON made (id);\nSELECT 1;",
    "copied rows": "CREATE TABLE made (id int);\nCOPY made FROM stdin;\n1\n2\n\\.\nSELECT 1;",
    "own record": "CREATE TABLE made (id int);\nINSERT INTO schema_migrations (version) VALUES ('20250101000000_p ü\"''');",
    "session settings": "SET search_path = pg_catalog; CREATE TABLE public.made (); SET default_transaction_read_only = on;",
    "odd names": 'CREATE SCHEMA "S p ü"; CREATE TABLE made ("a ""b" int); CREATE TABLE "S p ü"."T x" ("ß%s" int);',
    "byte order mark": "\ufeffCREATE TABLE made (id int);",
    "unknown to the parser": "CREATE TABLE made (id int); ALTER TABLE made ADD COLUMN y int DEFAULT 1;",
}
DIRTY = RehearsedMigration(
    "dirty", "CREATE TABLE kept (id int);\nCREATE UNIQUE INDEX CONCURRENTLY i ON kept (nothing);", shown="up/dirty.sql"
)
CALLED = RehearsedMigration(
    "called",
    "-- migrate: no-transaction\nDO $$ BEGIN CREATE TABLE kept (id int); COMMIT; PERFORM 1 / 0; END $$;",
)


def find_tables(outcome: Outcome) -> tuple[set[str], set[str]]:
    """Return the names of the tables before and after an outcome."""
    before, after = ({key.name for key, _ in catalog.of_kind("table")} for catalog in (outcome.before, outcome.after))
    return before, after


@pytest.mark.parametrize("text", WORKING.values(), ids=WORKING.keys())
def test_a_migration_runs_as_the_runner_runs_it(scratch: ScratchServer, text: str) -> None:
    migration = RehearsedMigration("20250101000000_p ü\"'", text)
    outcomes = list(replay(scratch, [migration, A]))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [find_tables(outcome)[1] >= {"public.made"} for outcome in outcomes] == [True, True]
    with state_after(scratch, [migration, A]) as database:
        assert list_tables(database) == ["a", "made"]


def test_each_outcome_has_the_schema_before_and_after(scratch: ScratchServer) -> None:
    outcomes = list(replay(scratch, [A, B]))
    assert [find_tables(outcome) for outcome in outcomes] == [
        (set(), {"public.a"}),
        ({"public.a"}, {"public.a", "public.b"}),
    ]
    assert Key("table", "public.b") in {change.key for change in outcomes[1].effect.changes}
    assert not outcomes[1].before.objects.keys() & {change.key for change in outcomes[1].effect.changes}


def test_a_replay_that_ends_early_leaves_nothing_behind(scratch: ScratchServer, running: OwnServer) -> None:
    outcomes = replay(scratch, [A, B])
    assert next(outcomes).migration == A
    assert list_databases(running, "scratch") != set()
    outcomes.close()  # type: ignore[attr-defined]
    assert list_databases(running, "scratch") == set()


def test_an_error_is_kept_and_the_next_migration_runs(scratch: ScratchServer) -> None:
    broken = RehearsedMigration("broken", "CREATE TABLE broken (id int);\nSELECT 1 / 0;", shown="up/broken.sql")
    first, failed, last = replay(scratch, [A, broken, B])
    assert (first.error, last.error) == (None, None)
    assert failed.error is not None
    assert "division by zero" in failed.error.message
    assert str(failed.error.place) == "up/broken.sql:2"
    assert "scratch" in failed.error.state
    assert not failed.effect
    assert find_tables(last) == ({"public.a"}, {"public.a", "public.b"})


@pytest.mark.parametrize("migration", [DIRTY, CALLED], ids=lambda migration: migration.name)
def test_a_failed_migration_leaves_nothing_though_it_committed(scratch: ScratchServer, migration: RehearsedMigration) -> None:
    first, failed, last = replay(scratch, [A, migration, B])
    assert failed.error is not None
    assert not failed.effect
    assert find_tables(last) == ({"public.a"}, {"public.a", "public.b"})
    assert first.after == last.before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABEL a ();", "syntax error"),
        ("BEGIN; CREATE TABLE a ();", "BEGIN without a COMMIT"),
        ("-- NOT WRITTEN YET: do it", "the file is not written yet"),
        ("INSERT INTO schema_migrations (version) VALUES ('003');", "the file records the version '003'"),
        ("CREATE TABLE schema_migrations (id int);", "already exists"),
        ("CREATE TABLE t (id int);\nSELECT pg_terminate_backend(pg_backend_pid());", "terminating connection"),
        ("COPY (SELECT 1) TO STDOUT;", "COPY … TO STDOUT"),
        ("DROP TABLE schema_migrations_log;", "schema_migrations_log"),
    ],
)
def test_an_error_in_a_text_is_the_error_of_that_migration_only(scratch: ScratchServer, text: str, message: str) -> None:
    wrong, right = replay(scratch, [RehearsedMigration("003_wrong.sql", text), B])
    assert wrong.error is not None
    assert message in wrong.error.message
    assert right.error is None
    assert find_tables(right) == (set(), {"public.b"})


def test_names_need_not_be_versions_and_may_repeat(scratch: ScratchServer) -> None:
    migrations = [RehearsedMigration("003_x.sql", "CREATE TABLE a ();"), RehearsedMigration("003_x.sql", "CREATE TABLE b ();")]
    assert [outcome.error for outcome in replay(scratch, migrations)] == [None, None]


@pytest.mark.parametrize("timed", [replay, state_after], ids=["replay", "state"])
def test_a_migration_that_never_ends_is_stopped(
    scratch: ScratchServer, running: OwnServer, monkeypatch: pytest.MonkeyPatch, timed: Callable[..., object]
) -> None:
    limit_sleep(monkeypatch, running)
    endless = RehearsedMigration("endless", "CREATE TABLE t (id int);\nSELECT pg_sleep(600);", shown="up/endless.sql")
    if timed is replay:
        outcome, after = replay(scratch, [endless, B], timeout_s=0.5)
        error = outcome.error
        assert after.error is None
        assert find_tables(after) == (set(), {"public.b"})
    else:
        with pytest.raises(RunnerError) as raised, state_after(scratch, [endless], timeout_s=0.5):
            pass
        error = raised.value
    assert isinstance(error, TimeLimitError)
    assert error.message == "up/endless.sql:2 did not finish within 0.5 s and was stopped: SELECT pg_sleep(600)"


def test_a_loop_that_catches_its_cancellation_is_stopped_too(
    scratch: ScratchServer, running: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_sleep(monkeypatch, running)
    loop = "LOOP BEGIN PERFORM pg_sleep(0.01); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP"
    stubborn = RehearsedMigration("stubborn", f"CREATE TABLE b (id int); DO $$ BEGIN {loop}; END $$;")
    stopped, after = replay(scratch, [stubborn, B], timeout_s=0.5)
    assert isinstance(stopped.error, TimeLimitError)
    assert after.error is None


def test_up_down_and_up_again_on_one_database(scratch: ScratchServer) -> None:
    with state_after(scratch, [A]) as database:
        outcomes = [try_migration(database, B, direction) for direction in ("up", "down", "up")]
        assert [outcome.error for outcome in outcomes] == [None, None, None]
        up, down, again = (outcome.effect for outcome in outcomes)
        assert up
        assert up == again
        assert [(c.key, c.before, c.after) for c in down.changes] == [(c.key, c.after, c.before) for c in up.changes]
        assert list_tables(database) == ["a", "b"]


def test_one_migration_can_be_run_for_its_error_alone(scratch: ScratchServer) -> None:
    with state_after(scratch, [A]) as database:
        assert run_migration(database, B, "up") is None
        error = run_migration(database, A, "up")
        assert error is not None
        assert error.sqlstate == "42P07"


def test_a_missing_or_irreversible_down_is_refused(scratch: ScratchServer) -> None:
    lossy = RehearsedMigration("lossy", "SELECT 1;", "-- migrate: irreversible the rows are gone")
    with scratch.make() as database:
        missing, refused = (
            run_migration(database, migration, "down") for migration in (RehearsedMigration("up_only", "SELECT 1;"), lossy)
        )
    assert isinstance(missing, RefusedError)
    assert isinstance(refused, RefusedError)
    assert missing.message == "up_only has no down migration"
    assert "the rows are gone" in refused.message


@pytest.mark.parametrize("name", ["gaia", "postgres"])
def test_dropping_a_database_is_refused(scratch: ScratchServer, name: str) -> None:
    outcome, after = replay(scratch, [RehearsedMigration("drop", f"DROP DATABASE {name} WITH (FORCE);"), B])
    assert isinstance(outcome.error, ServerWideError)
    assert name in outcome.error.message
    assert after.error is None


def test_a_schema_that_only_the_target_has_gets_a_hint(scratch: ScratchServer) -> None:
    (schema,) = replay(scratch, [RehearsedMigration("schema", "CREATE TABLE crm.t ();")])
    assert schema.error is not None
    assert "No earlier migration creates this schema" in schema.error.hint


def test_dropping_the_schema_of_the_ledger_is_an_error_of_that_migration(scratch: ScratchServer) -> None:
    first, second = replay(scratch, [RehearsedMigration("raze", "DROP SCHEMA public CASCADE; CREATE SCHEMA public;"), B])
    assert first.error is not None
    assert second.error is None


def test_replays_work_on_every_available_server(any_database: Database) -> None:
    migrations = [RehearsedMigration(name.replace(" ", "_"), text.replace("made", f"made_{n}").replace("S p", f"S {n}"))
              for n, (name, text) in enumerate(WORKING.items()) if name != "own record"]  # fmt: skip
    with ScratchServer(any_database.server.url()) as server:
        assert [str(outcome.error) for outcome in replay(server, migrations)] == ["None"] * len(migrations)


def test_deferred_constraints_are_checked_at_the_end(scratch: ScratchServer) -> None:
    text = (
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO c VALUES (1);"
    )
    (outcome,) = replay(scratch, [RehearsedMigration("deferred", text)])
    assert outcome.error is not None
    assert outcome.error.sqlstate == "23503"


def test_a_migration_cannot_change_how_the_next_one_runs(scratch: ScratchServer) -> None:
    text = "SET search_path = nowhere; SET default_tablespace = ''; PREPARE p AS SELECT 1; CREATE TEMP TABLE a (id int);"
    first, second = replay(scratch, [RehearsedMigration("sets", text), A])
    assert (first.error, second.error) == (None, None)
    assert find_tables(second)[1] == {"public.a"}


def test_a_scratch_database_has_its_name_and_url(scratch: ScratchServer) -> None:
    with scratch.make() as database:
        assert isinstance(database, ScratchDatabase)
        assert query(database, "SELECT current_database()") == [(database.name,)]
