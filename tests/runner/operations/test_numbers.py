"""The numbers of a live database: what is read, what is not known, and that reading waits for nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tasks.runner.events import NumbersRead, RelationLock, RelationNumbers, from_json, to_json
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.operations.numbers import read_numbers
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
from tests.kit.roles import MakeRole, make_roles, use_as
from tests.stress.blocking import waiting

USERS = """
CREATE TABLE users (id int PRIMARY KEY, email text, note text);
INSERT INTO users SELECT n, CASE WHEN n % 4 = 0 THEN 'secret-' || n END, repeat('x', 3000) || n FROM generate_series(1, 1000) n;
"""


def read(url: str, between_looks_s: float = 0) -> NumbersRead:
    """Return the numbers, as they arrive from another machine."""
    (event,) = read_numbers(MigrationRunner(url), between_looks_s=between_looks_s)
    back = from_json(to_json(event))
    assert back == event
    assert isinstance(back, NumbersRead)
    return back


def find(numbers: NumbersRead, relation: str) -> RelationNumbers:
    return next(each for each in numbers.relations if each.relation == relation)


@contextmanager
def transaction(database: Database, statement: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection with an open transaction in which a statement has run."""
    with database.connect(application_name="app", autocommit=False) as connection:
        connection.execute(statement)
        yield connection
        connection.rollback()


def test_sizes_rows_and_statistics_of_a_table_are_read(any_database: Database) -> None:
    any_database.execute(USERS)
    any_database.execute("ANALYZE users")
    numbers = read(any_database.url)
    table, index = find(numbers, "public.users"), find(numbers, "public.users_pkey")
    assert (table.kind, table.rows, index.kind, index.table) == ("r", 1000, "i", "public.users")
    assert [table.heap_bytes, table.index_bytes] == list(
        any_database.query("SELECT pg_table_size('users'), pg_indexes_size('users')")[0]
    )
    columns = {each.name: each for each in table.columns}
    assert columns["email"].null_frac == pytest.approx(0.75)
    assert (columns["id"].n_distinct, columns["id"].correlation) == (-1.0, 1.0)
    assert numbers.database_bytes
    assert numbers.server_version // 10000 >= 14


def test_no_value_of_a_row_is_read(database: Database) -> None:
    database.execute(USERS)
    database.execute("ANALYZE users")
    with transaction(database, "SELECT * FROM users WHERE email = 'secret-8'"):
        text = to_json(read(database.url))
    assert "secret" not in text
    assert "SELECT" not in text


def test_reads_and_writes_per_second_are_the_difference_of_two_looks(database: Database) -> None:
    database.execute("CREATE TABLE busy (id int); CREATE TABLE idle (id int)")
    with database.connect() as connection:
        runner = MigrationRunner(database.url)
        sleep = runner.stop.sleep

        def work(seconds: float) -> None:
            connection.execute("INSERT INTO busy SELECT generate_series(1, 100)")
            connection.execute("SELECT count(*) FROM busy")
            if connection.info.server_version >= 150000:
                connection.execute("SELECT pg_stat_force_next_flush()")
            sleep(seconds)

        runner.stop.sleep = work  # type: ignore[method-assign]
        (numbers,) = read_numbers(runner)
    assert isinstance(numbers, NumbersRead)
    busy, idle = find(numbers, "public.busy"), find(numbers, "public.idle")
    # The second look comes later on a slow machine.
    assert 0 < (busy.writes or 0) <= 50
    assert 0 < (busy.reads or 0) <= 0.5
    assert (idle.reads, idle.writes) == (0, 0)


def test_after_a_reset_of_the_statistics_the_rates_are_not_known(database: Database) -> None:
    database.execute(USERS)
    runner = MigrationRunner(database.url)
    runner.stop.sleep = lambda _seconds: database.execute("SELECT pg_stat_reset()")  # type: ignore[method-assign,assignment]
    (numbers,) = read_numbers(runner)
    assert isinstance(numbers, NumbersRead)
    table = find(numbers, "public.users")
    assert (table.reads, table.writes) == (None, None)
    assert "how much its tables are used is not known: the statistics were reset meanwhile" in numbers.not_known


def test_a_table_that_was_never_analysed_is_named(any_database: Database) -> None:
    any_database.execute(f"{USERS}; CREATE TABLE empty ()")
    any_database.execute("SELECT pg_stat_reset()")
    numbers = read(any_database.url)
    table = find(numbers, "public.users")
    assert (table.rows, table.columns, table.without_statistics) == (-1, (), ("id", "email", "note"))
    assert table.heap_bytes > 0
    assert find(numbers, "public.empty").rows == 0
    named = "the statistics of public.users are not known: never analysed; run ANALYZE public.users;"
    assert named in numbers.not_known


def test_partitions_name_their_table(any_database: Database) -> None:
    any_database.execute(
        """CREATE TABLE "Log" (at date, n int) PARTITION BY RANGE (at);
        CREATE TABLE log_1 PARTITION OF "Log" FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
        CREATE INDEX at ON "Log" (at); INSERT INTO "Log" SELECT '2025-01-01', generate_series(1, 100)"""
    )
    any_database.execute('ANALYZE "Log"')
    numbers = read(any_database.url)
    assert (find(numbers, 'public."Log"').kind, find(numbers, 'public."Log"').heap_bytes) == ("p", 0)
    assert (find(numbers, "public.log_1").parent, find(numbers, "public.log_1").rows) == ('public."Log"', 100)
    assert [each.name for each in find(numbers, 'public."Log"').columns] == ["at", "n"]
    assert find(numbers, "public.log_1_at_idx").parent == "public.at"


def test_a_locked_table_is_not_waited_for(any_database: Database) -> None:
    any_database.execute(f"{USERS}; CREATE TABLE free AS SELECT generate_series(1, 1000)")
    any_database.execute("ANALYZE users")
    with transaction(any_database, "LOCK TABLE users"):
        numbers = read(any_database.url)
    assert find(numbers, "public.users").rows == 1000
    assert find(numbers, "public.users").heap_bytes > 0
    assert find(numbers, "public.free").heap_bytes > 0
    (sentence,) = (each for each in numbers.not_known if "locked" in each)
    assert sentence.startswith("the current size of public.users, public.users_pkey is not known: another session has locked it")


def test_a_locked_catalog_is_not_waited_for(database: Database) -> None:
    database.execute(USERS)
    with transaction(database, "LOCK TABLE pg_inherits"):
        numbers = read(database.url)
    assert numbers.relations == ()
    assert numbers.database_bytes
    assert "its relations could not be read: canceling statement due to lock timeout" in numbers.not_known


def test_open_transactions_are_read_with_their_locks(any_database: Database) -> None:
    any_database.execute(USERS)
    with (
        transaction(any_database, "SELECT * FROM users") as reader,
        transaction(any_database, "INSERT INTO users VALUES (0)") as writer,
        any_database.connect(autocommit=False) as old,
    ):
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        found = {each.pid: each for each in read(any_database.url).transactions}
        reads, writes, keeps = (found[each.info.backend_pid] for each in (reader, writer, old))
    assert RelationLock("public.users", "AccessShareLock") in reads.locks
    assert RelationLock("public.users", "RowExclusiveLock") in writes.locks
    assert (keeps.snapshot, writes.snapshot) == (True, False)
    assert (reads.application, reads.state) == ("app", "idle in transaction")
    assert reads.age_s >= 0


def test_a_lock_that_is_waited_for_counts(database: Database) -> None:
    database.execute(USERS)
    with transaction(database, "SELECT * FROM users") as reader, waiting(database, "ALTER TABLE users ADD a int") as pid:
        found = next(each for each in read(database.url).transactions if each.pid == pid)
        reader.rollback()
    assert RelationLock("public.users", "AccessExclusiveLock") in found.locks


def test_sessions_of_this_tool_and_its_ledger_are_left_out(database: Database, project: Project) -> None:
    project.write_up("20250101000000_create_a", "CREATE TABLE a (id int);")
    project.migrate(check=0)
    with database.connect(application_name="migrate-lock 1", autocommit=False) as connection:
        connection.execute("LOCK TABLE a")
        numbers = read(database.url)
    assert numbers.transactions == ()
    assert [each.relation for each in numbers.relations] == ["public.a"]


def test_a_role_with_few_rights_gets_what_it_may_see(any_database: Database) -> None:
    any_database.execute(USERS)
    any_database.execute("ANALYZE users")
    with make_roles(any_database) as make, transaction(any_database, "INSERT INTO users VALUES (0)") as writer:
        role = make("few")
        numbers = read(use_as(any_database, role).url)
        pid = writer.info.backend_pid
    table = find(numbers, "public.users")
    assert (table.rows, table.columns) == (1000, ())
    assert table.heap_bytes > 0
    (found,) = (each for each in numbers.transactions if each.pid == pid)
    assert (found.state, found.age_s) == ("", -1)
    assert RelationLock("public.users", "RowExclusiveLock") in found.locks
    quoted = sql.Identifier(role).as_string()
    grants = f"GRANT pg_read_all_stats TO {quoted};", f"GRANT SELECT ON public.users TO {quoted};"
    assert all(any(grant in each for each in numbers.not_known) for grant in grants)


def test_prepared_transactions_have_no_pid(new_server: Callable[..., OwnServer]) -> None:
    server = new_server()
    server.start(max_prepared_transactions="2")
    with fresh_database(server) as database:
        database.execute("CREATE TABLE users ()")
        database.execute("BEGIN; LOCK TABLE users; PREPARE TRANSACTION 'transfer'")
        numbers = read(database.url)
        database.execute("ROLLBACK PREPARED 'transfer'")
    (found,) = numbers.transactions
    assert (found.pid, found.prepared, found.locks) == (0, "transfer", (RelationLock("public.users", "AccessExclusiveLock"),))


def test_the_free_disk_of_a_server_on_this_machine_is_known(database: Database) -> None:
    assert read(database.url).free_bytes


def test_the_free_disk_is_not_known_where_the_data_directory_is_not_seen(database: Database, make_role: MakeRole) -> None:
    numbers = read(use_as(database, make_role("few")).url)
    assert numbers.free_bytes is None
    assert any(each.startswith("the free disk of the server is not known") for each in numbers.not_known)


def test_numbers_are_read_behind_a_pooler(pgbouncer: Pooler) -> None:
    pgbouncer.database.execute(USERS)
    with transaction(pgbouncer.database, "SELECT * FROM users"):
        numbers = read(pgbouncer.url)
    assert find(numbers, "public.users").heap_bytes > 0
    assert len(numbers.transactions) == 1


def test_a_standby_does_not_count_what_is_written(new_server: Callable[..., OwnServer]) -> None:
    server = new_server()
    (server.cluster.data / "standby.signal").touch()
    server.start(primary_conninfo="")
    numbers = read(server.url("postgres"))
    assert "how much is written is not known: the server is a standby, which does not count that" in numbers.not_known


def test_the_script_prints_the_numbers_as_one_line(project: Project, database: Database) -> None:
    database.execute(USERS)
    (line,) = project.migrate("numbers", "--json", check=0).stdout.splitlines()
    assert isinstance(from_json(line), NumbersRead)
