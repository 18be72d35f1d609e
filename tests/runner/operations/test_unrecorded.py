"""A database without a ledger that has what the migrations create, or a ledger elsewhere: a run is refused."""

import psycopg
import pytest

from tasks.runner import MigrationRunner
from tasks.runner.errors import RefusedError
from tasks.runner.ledger import foreign, guard
from tests.runner.operating import A, B, Operator, list_done

NO_LEDGER = "this database has no ledger"


def list_faults(operator: Operator) -> list[tuple[str, bool]]:
    return [(finding.kind, finding.refuses) for finding in operator.read_status().findings]


@pytest.mark.parametrize(
    ("there", "up"),
    [
        ("CREATE TABLE a ()", "CREATE TABLE a ();"),
        ("CREATE TABLE a ()", "CREATE TABLE IF NOT EXISTS public.a ();"),
        ('CREATE TABLE "Ä b" ()', 'CREATE TABLE "Ä b" ();'),
        ("CREATE SCHEMA app; CREATE TABLE app.a ()", "CREATE SCHEMA IF NOT EXISTS app; CREATE TABLE app.a ();"),
        ("CREATE SCHEMA app; CREATE TABLE app.a ()", "CREATE SCHEMA app CREATE TABLE a ();"),
        ("CREATE SCHEMA app; CREATE TABLE app.a ()", "SET search_path = app, public; CREATE TABLE a ();"),
        ("CREATE TABLE a ()", "CREATE TABLE a AS SELECT 1;"),
        ("CREATE TABLE a ()", "SELECT 1 AS n INTO a;"),
        ("CREATE MATERIALIZED VIEW a AS SELECT 1", "CREATE MATERIALIZED VIEW a AS SELECT 1;"),
        (
            "CREATE TABLE p (n int) PARTITION BY LIST (n); CREATE TABLE a PARTITION OF p DEFAULT",
            "CREATE TABLE a PARTITION OF q DEFAULT;",
        ),
        ("CREATE TABLE a ()", "CREATE TABLE before (); ALTER TABLE before RENAME TO a;"),
        ("CREATE TABLE a ()", "DO $$ BEGIN CREATE TABLE IF NOT EXISTS a (); END $$;"),
        ("CREATE TABLE a ()", "CREATE TABLE a (n int, m int GENERATED ALWAYS AS (n) VIRTUAL);"),
    ],
)
def test_a_table_that_a_pending_file_creates_refuses_the_run(operator: Operator, there: str, up: str) -> None:
    operator.database.execute(there)
    operator.write(A, up)
    with pytest.raises(RefusedError, match=f"{NO_LEDGER}, but it has tables that pending migrations create: .*{A}") as refused:
        operator.migrate()
    assert "inv db.adopt" in refused.value.hint
    assert list_faults(operator) == [("unrecorded", True)]
    assert operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


@pytest.mark.parametrize(
    ("there", "up"),
    [
        ("CREATE TABLE spatial_ref_sys ()", "CREATE TABLE a ();"),
        ("CREATE SCHEMA neighbour; CREATE TABLE neighbour.a ()", "CREATE TABLE a ();"),
        ("CREATE TABLE a ()", "CREATE TEMP TABLE a ();"),
        ("CREATE TABLE a (); ALTER EXTENSION plpgsql ADD TABLE a", "CREATE TABLE IF NOT EXISTS a ();"),
        ("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)", "CREATE TABLE a ();"),
    ],
)
def test_other_tables_are_no_reason(operator: Operator, there: str, up: str) -> None:
    operator.database.execute(there)
    operator.write(A, up)
    assert list_done(operator.migrate()) == [A]


def test_a_file_that_is_not_reached_counts_too(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE b ()")
    operator.write_tables(A, B)
    with pytest.raises(RefusedError, match=NO_LEDGER):
        operator.migrate(to=A)


def test_the_python_api_and_the_seeds_are_refused_as_well(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE a ()")
    operator.write_tables(A)
    operator.project.write_seed("001_x", "SELECT 1;")
    runner = operator.make_runner()
    for run in (runner.ensure_migration_table, runner.run_migrations, operator.seed, lambda: operator.seed(dry_run=True)):
        with pytest.raises(RefusedError, match=NO_LEDGER):
            run()


def test_another_tools_record_of_these_files_refuses_the_run(operator: Operator) -> None:
    operator.database.execute(
        "CREATE TABLE pgmigrations (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)"
    )
    operator.database.execute("INSERT INTO pgmigrations (name, run_on) VALUES (%s, now())", A)
    operator.write(A, "ALTER DATABASE postgres RESET work_mem;")
    with pytest.raises(RefusedError, match=r"public.pgmigrations of node-pg-migrate records 1 of these migrations") as refused:
        operator.migrate()
    assert "inv db.adopt" in refused.value.hint


def test_another_tools_record_that_is_locked_refuses_the_run(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (foreign, guard):
        monkeypatch.setattr(module, "LOCK_TIMEOUT", "100ms")
    operator.write_tables(A)
    operator.database.execute("CREATE TABLE gorp_migrations (id text PRIMARY KEY, applied_at timestamptz)")
    with operator.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE gorp_migrations")
        with pytest.raises(RefusedError, match=r"public\.gorp_migrations of sql-migrate .* another session has locked the table"):
            operator.migrate()
    assert operator.database.query("SELECT to_regclass('a')") == [(None,)]
    assert list_done(operator.migrate()) == [A]


def test_an_empty_ledger_that_was_created_on_purpose_is_the_way_past_the_refusal(operator: Operator) -> None:
    operator.database.execute("CREATE TABLE a ()")
    operator.write(A, "CREATE TABLE IF NOT EXISTS a ();")
    operator.make_runner(environment="staging").create_ledger()
    assert list_done(operator.migrate()) == [A]
    assert operator.read_status().environment == "staging"


def use_schema(operator: Operator, schema: str) -> None:
    operator.database.execute(
        f"CREATE SCHEMA IF NOT EXISTS {schema}; ALTER DATABASE {operator.database.name} SET search_path = {schema}"
    )


def test_a_ledger_that_search_path_does_not_reach_any_more_refuses_the_run(operator: Operator) -> None:
    operator.write(A, "CREATE TABLE IF NOT EXISTS a (); ")
    operator.write(
        B, "CREATE SCHEMA app; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app', current_database()); END $$;"
    )
    operator.migrate()
    message = "no ledger in schema app, where this run would create one, but this database has one in schema public"
    for refused in (operator.migrate, operator.roll_back, operator.seed):
        with pytest.raises(RefusedError, match=message) as error:
            refused()
    assert "options=-csearch_path%3Dapp,public" in error.value.hint
    assert list_faults(operator) == [("elsewhere", True)]
    moves = [line.strip() for line in error.value.hint.splitlines() if "SET SCHEMA" in line]
    operator.database.execute(" ".join(moves))
    assert operator.read_states() == {A: "applied", B: "applied"}
    assert list_done(operator.migrate()) == []


def test_a_ledger_in_a_schema_that_the_role_may_not_use_is_named_with_the_grant(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    role = f"{operator.database.name}_role"
    operator.database.execute(
        f"REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN PASSWORD 'x'; CREATE SCHEMA own AUTHORIZATION {role};"
        f" ALTER ROLE {role} SET search_path = public, own"
    )
    try:
        url = psycopg.conninfo.make_conninfo(operator.database.url, user=role, password="x")
        with pytest.raises(RefusedError, match="but this database has one in schema public") as refused:
            MigrationRunner(url, migrations_dir=operator.project.migrations).run_migrations()
        assert f"GRANT USAGE ON SCHEMA public TO {role};" in refused.value.hint
    finally:
        operator.database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_each_tenant_may_have_a_ledger_of_its_own_once_that_was_created(operator: Operator) -> None:
    operator.write_tables(A)
    for tenant in ("one", "two"):
        use_schema(operator, tenant)
        operator.make_runner().create_ledger()
        assert list_done(operator.migrate()) == [A]
    use_schema(operator, "one")
    assert list_done(operator.migrate()) == []
    assert list_faults(operator) == []
