"""The checks of a database, on real servers: everything that a run needs, and the hint if it is missing."""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tasks.runner import MigrationRunner
from tasks.runner.errors import ConnectError
from tasks.runner.events import CheckMade, ProbeRead
from tasks.runner.operations.probe import probe
from tests.kit.databases import Database, fresh_database
from tests.kit.own_servers import OwnServer
from tests.kit.poolers import Pooler
from tests.kit.servers import Server
from tests.runner.operating import A, B, Operator

NAMES = ["database", "server version", "pooler", "privileges", "writable", "extensions", "ledger"]


def probe_database(url: str, environment: str = "") -> dict[str, CheckMade]:
    """Probe a database and return the checks by name."""
    (event,) = probe(MigrationRunner(url, environment=environment))
    assert isinstance(event, ProbeRead)
    return {check.name: check for check in event.checks}


def list_failed(checks: dict[str, CheckMade]) -> list[str]:
    """Return the names of the checks that failed."""
    return [name for name, check in checks.items() if not check.passed]


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """Yield the name of a role that may log in and nothing else; it has to be quoted."""
    name = f"guest {database.name}"
    database.execute(f'CREATE ROLE "{name}" LOGIN')
    yield name
    database.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def url_as(database: Database, role: str) -> str:
    """Return the URL of a database for another role."""
    return database.url.replace("postgres@", f"{quote(role)}@", 1)


def test_a_database_that_has_everything_passes(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate(environment="dev")
    operator.database.execute("CREATE EXTENSION vector")
    checks = probe_database(operator.database.url, "dev")
    assert list(checks) == [*NAMES[:-1], "runner", NAMES[-1]]
    assert list_failed(checks) == []
    assert checks["database"].found.endswith(f"/{operator.database.name}")
    assert checks["server version"].found.startswith("PostgreSQL 18.")
    assert checks["pooler"] == CheckMade("pooler", True, "none")
    assert checks["extensions"].found.startswith("vector 0.")
    assert checks["ledger"].found == "1 applied, belongs to dev"


def test_an_empty_database_passes(database: Database) -> None:
    checks = probe_database(database.url)
    assert list_failed(checks) == []
    assert checks["extensions"].found == "none; vector is available"
    assert checks["ledger"].found == "none yet; the first run creates it"
    assert database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_a_pooler_is_named_with_the_way_round_it(pgbouncer: Pooler) -> None:
    checks = probe_database(pgbouncer.url)
    assert list_failed(checks) == []
    assert checks["pooler"].found.startswith("the connection goes through one")
    assert "DIRECT_DATABASE_URL" in checks["pooler"].hint


def test_a_missing_privilege_comes_with_its_grant(database: Database, role: str) -> None:
    checks = probe_database(url_as(database, role))
    assert list_failed(checks) == ["privileges", "extensions"]
    assert checks["privileges"].found == f'"{role}" may not create tables in the schema public'
    assert checks["extensions"].found == "none; vector is available, but this user may not create it"
    assert "CREATE EXTENSION vector;" in checks["extensions"].hint
    database.execute(checks["privileges"].hint)
    assert list_failed(probe_database(url_as(database, role))) == ["extensions"]


def test_a_ledger_without_privileges_is_reported_with_the_grant(operator: Operator, role: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    url = url_as(operator.database, role)
    refused = probe_database(url)["ledger"]
    assert not refused.passed
    assert refused.found == f'"{role}" has no privilege to read the ledger: public.schema_migrations'
    assert f'GRANT SELECT ON public.schema_migrations TO "{role}";' in refused.hint
    operator.database.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{role}"')
    barred = probe_database(url)["ledger"]
    assert barred.found == (
        f'"{role}" may not read and write public.schema_migrations, public.schema_migrations_log, '
        "public.schema_migrations_meta, public.schema_migrations_scripts, public.schema_migrations_seeds"
    )
    operator.database.execute(barred.hint)
    assert probe_database(url)["ledger"].passed


def test_a_read_only_session_is_distinguished_from_a_replica(database: Database, new_server: Callable[[], OwnServer]) -> None:
    read_only = probe_database(f"{database.url}&options=-cdefault_transaction_read_only%3Don")
    assert list_failed(read_only) == ["writable"]
    assert read_only["writable"].found == "default_transaction_read_only is on"
    server = new_server()
    (server.cluster.data / "standby.signal").touch()
    server.start(hot_standby="on")
    replica = probe_database(server.url())
    assert list_failed(replica) == ["writable"]
    assert replica["writable"].found == "this server is a read-only replica"
    assert "primary" in replica["writable"].hint


@pytest.mark.parametrize(
    ("change", "found", "hint"),
    [
        (
            "DROP TABLE schema_migrations CASCADE; CREATE TABLE schema_migrations (version bigint)",
            "is not the table of",
            "RENAME TO",
        ),
        ("UPDATE schema_migrations_meta SET value = '99' WHERE key = 'format'", "format 99", "Pull"),
        ("UPDATE schema_migrations_meta SET value = 'prod' WHERE key = 'environment'", "belongs to prod", "Check --env"),
    ],
)
def test_a_ledger_that_does_not_fit_is_refused(operator: Operator, change: str, found: str, hint: str) -> None:
    operator.write_tables(A)
    operator.migrate(environment="dev")
    operator.database.execute(change)
    checks = probe_database(operator.database.url, "dev")
    assert list_failed(checks) == ["ledger"]
    assert found in checks["ledger"].found
    assert hint in checks["ledger"].hint


def test_without_a_schema_no_table_can_be_created(database: Database) -> None:
    checks = probe_database(f"{database.url}&options=-csearch_path%3Dnowhere")
    assert list_failed(checks) == ["privileges", "ledger"]
    assert checks["privileges"].found == "search_path contains no schema that exists"
    assert "CREATE SCHEMA public" in checks["privileges"].hint


def test_a_server_without_pgvector_is_reported(older_server: Server) -> None:
    with fresh_database(older_server) as database:
        if database.query("SELECT FROM pg_available_extensions WHERE name = 'vector'"):
            pytest.skip("this server has pgvector")
        checks = probe_database(database.url)
    assert list_failed(checks) == ["extensions"]
    assert checks["extensions"].found == "none; vector is not available"
    assert "pgvector" in checks["extensions"].hint


def test_only_extensions_that_pending_migrations_create_are_needed(operator: Operator, older_server: Server) -> None:
    operator.write(A, 'CREATE EXTENSION "uuid-ossp"; -- CREATE EXTENSION vector;')
    operator.write(B, "CREATE EXTENSION IF NOT EXISTS nothing_like_it;")

    def check(url: str) -> CheckMade:
        (event,) = probe(MigrationRunner(url, migrations_dir=operator.project.root / "migrations"))
        assert isinstance(event, ProbeRead)
        return next(check for check in event.checks if check.name == "extensions")

    found = check(operator.database.url)
    assert (found.passed, found.found) == (False, "none; uuid-ossp is available; nothing_like_it is not available")
    assert found.hint == "A pending migration creates the extension nothing_like_it: install its package on the server."
    operator.remove(B)
    with fresh_database(older_server) as database:
        assert check(database.url).passed
    operator.migrate()
    assert check(operator.database.url) == CheckMade("extensions", True, "uuid-ossp 1.1")


def test_without_a_connection_there_is_nothing_to_check() -> None:
    with pytest.raises(ConnectError, match=r"cannot connect to me@127\.0\.0\.1:1/db") as refused:
        probe_database("postgresql://me:s3cret@127.0.0.1:1/db")
    assert "s3cret" not in refused.value.message + refused.value.hint
