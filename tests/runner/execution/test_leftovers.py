"""Invalid indexes: which of them a statement outside a transaction drops, and which are not its own."""

import pytest

from tasks.runner.errors import StatementError
from tasks.runner.events import NoticeRaised, StatementStarted
from tasks.runner.execution.leftovers import find_leftovers
from tasks.runner.operations.migrate import migrate
from tasks.runner.parsing import read_script
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.runner.operating import A, Operator, collect_failure, pick

TABLES = "CREATE TABLE a (id int, n text); CREATE TABLE b (id int); CREATE INDEX a_id ON a (id);"
BUILD_N = "CREATE INDEX CONCURRENTLY a_n ON a (n);"
REINDEX = "REINDEX TABLE CONCURRENTLY a;"


def invalidate(database: Database, *indexes: str) -> None:
    """Make indexes invalid, as an interrupted build leaves them."""
    database.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = ANY (SELECT to_regclass(name) FROM unnest(%s::text[]) name)",
        [*indexes],
    )


def read_indexes(database: Database) -> list[str]:
    """Return the names of the indexes of the test's tables; those of invalid ones begin with a minus."""
    query = """SELECT CASE WHEN indisvalid THEN '' ELSE '-' END || indexrelid::regclass::text FROM pg_index
                WHERE indrelid IN (SELECT to_regclass(name) FROM unnest('{a,b,p,p1}'::text[]) name) ORDER BY 1"""
    return [row[0] for row in database.query(query)]


def interrupt(operator: Operator) -> None:
    """Migrate until the first statement begins, so that it is not known whether it took effect."""
    events = migrate(operator.make_runner(), MigrateGoal())
    for event in events:
        if isinstance(event, StatementStarted):
            break
    events.close()  # type: ignore[attr-defined]


def test_a_valid_index_with_the_name_of_a_new_one_is_not_taken_for_it(any_operator: Operator) -> None:
    any_operator.database.execute(f"{TABLES} CREATE INDEX a_n ON a (n, id)")
    any_operator.write(A, BUILD_N)
    with pytest.raises(StatementError, match='relation "a_n" already exists'):
        any_operator.migrate()
    assert any_operator.read_applied() == []
    assert any_operator.database.query("SELECT indnatts FROM pg_index WHERE indexrelid = 'a_n'::regclass") == [(2,)]


def test_only_the_first_statement_after_an_interruption_may_be_finished_already(any_operator: Operator) -> None:
    any_operator.database.execute(TABLES)
    any_operator.write(A, f"{BUILD_N}\nCREATE INDEX CONCURRENTLY a_both ON a (id, n);")
    interrupt(any_operator)
    any_operator.database.execute("CREATE INDEX a_n ON a (n); CREATE INDEX a_both ON a (n)")
    with pytest.raises(StatementError, match='relation "a_both" already exists') as failed:
        any_operator.migrate()
    assert failed.value.state.startswith(f"1 of 2 segments of {A} is committed")
    assert any_operator.read_applied() == []


def test_an_invalid_index_of_another_table_is_not_dropped_for_its_name(any_operator: Operator) -> None:
    any_operator.database.execute(f"{TABLES} CREATE INDEX a_n ON b (id)")
    invalidate(any_operator.database, "a_n")
    any_operator.write(A, BUILD_N)
    with pytest.raises(StatementError, match='relation "a_n" already exists'):
        any_operator.migrate()
    assert read_indexes(any_operator.database) == ["-a_n", "a_id"]


def test_an_invalid_index_of_a_partitioned_table_is_not_dropped(any_operator: Operator) -> None:
    any_operator.database.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT")
    any_operator.database.execute("CREATE INDEX p_id ON ONLY p (id)")
    any_operator.write(A, "CREATE INDEX CONCURRENTLY p_id ON p (id);")
    with pytest.raises(StatementError, match="cannot create index on partitioned table"):
        any_operator.migrate()
    assert read_indexes(any_operator.database) == ["-p_id"]


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_reindex_drops_what_an_interrupted_one_left_on_its_table(interrupted: bool, any_operator: Operator) -> None:
    names = ("a_id_ccnew", "a_other", "a_ccnew_id", "a_valid_ccnew")
    more = "".join(f"CREATE INDEX {name} ON a (n);" for name in names)
    any_operator.database.execute(f"{TABLES} {more} CREATE INDEX b_id_ccnew ON b (id);")
    any_operator.write(A, REINDEX)
    if interrupted:
        interrupt(any_operator)
    invalidate(any_operator.database, *names[:3], "b_id_ccnew")
    events = any_operator.migrate()
    dropped = [notice.message for notice in pick(events, NoticeRaised) if "interrupted" in notice.message]
    kept = {"-b_id_ccnew", "a_id", "a_other", "a_ccnew_id", "a_valid_ccnew"}
    if interrupted:
        assert [message.partition(" ")[0] for message in dropped] == ["public.a_id_ccnew"]
    assert {name.replace("-a_", "a_") for name in read_indexes(any_operator.database)} == (
        kept if interrupted else {*kept, "a_id_ccnew"}
    )
    assert any_operator.read_applied() == [A]


def test_a_reindex_that_fails_drops_only_what_it_left_itself(any_operator: Operator) -> None:
    any_operator.database.execute(
        f"{TABLES} CREATE TABLE switch (word text); INSERT INTO a VALUES (1);"
        "CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " $$ BEGIN IF EXISTS (SELECT FROM public.switch) THEN RAISE 'no'; END IF; RETURN $1; END $$;"
        "CREATE INDEX a_f ON a (f(id)); CREATE INDEX a_id_ccold ON a (id); INSERT INTO switch VALUES ('on');"
    )
    invalidate(any_operator.database, "a_id_ccold")
    any_operator.write(A, "REINDEX INDEX CONCURRENTLY a_f;")
    with pytest.raises(StatementError) as failed:
        any_operator.migrate()
    assert "The invalid index that it left (public.a_f_ccnew) was dropped." in failed.value.state
    assert read_indexes(any_operator.database) == ["-a_id_ccold", "a_f", "a_id"]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("INDEX CONCURRENTLY a_id", ["a"]),
        ("INDEX CONCURRENTLY p_id", ["p1"]),
        ("INDEX CONCURRENTLY p1_id_idx", ["p1"]),
        ("TABLE CONCURRENTLY a", ["a", "toast"]),
        ("TABLE CONCURRENTLY p", ["p1"]),
        ("TABLE CONCURRENTLY app.c", ["c"]),
        ("SCHEMA CONCURRENTLY app", ["c"]),
        ("SCHEMA CONCURRENTLY public", ["a", "b", "p1", "toast"]),
        ("(CONCURRENTLY) DATABASE {database}", ["a", "b", "c", "p1", "toast"]),
        ("TABLE CONCURRENTLY missing", []),
    ],
)
def test_the_leftovers_of_a_reindex_are_those_of_what_it_covers(what: str, found: list[str], database: Database) -> None:
    database.execute(
        f"{TABLES} CREATE SCHEMA app; CREATE TABLE app.c (id int); CREATE TABLE p (id int) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p DEFAULT; CREATE INDEX p_id ON p (id); CREATE INDEX a_x_ccnew ON a (n);"
        "CREATE INDEX b_x_ccnew ON b (id); CREATE INDEX c_x_ccold1 ON app.c (id); CREATE INDEX p1_x_ccnew ON p1 (id);"
    )
    ((toast,),) = database.query("SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 'a'::regclass")
    database.execute(f"SET allow_system_table_mods = on; ALTER INDEX {toast}_index RENAME TO toast_x_ccnew")
    invalidate(database, "a_x_ccnew", "b_x_ccnew", "app.c_x_ccold1", "p1_x_ccnew", "pg_toast.toast_x_ccnew")
    text = f"REINDEX {what.format(database=database.name)}"
    (statement,) = read_script(text, file="f.sql", version="v").statements
    objects = database.ask(lambda connection: find_leftovers(connection, statement.target)).objects
    assert sorted(name.partition(".")[2].partition("_")[0] for name in objects) == found


def test_leftovers_are_those_on_the_search_path_that_the_file_has_set(operator: Operator) -> None:
    operator.database.execute("CREATE SCHEMA app; CREATE TABLE app.items (id int); CREATE TABLE items (id int)")
    operator.database.execute("INSERT INTO app.items VALUES (1), (1)")
    operator.write(A, "SET search_path = app;\nCREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id);")
    _, error = collect_failure(migrate(operator.make_runner(), MigrateGoal()))
    assert "The invalid index that it left (app.items_id) was dropped." in error.state
    assert operator.database.query("SELECT to_regclass('app.items_id')::text") == [(None,)]
