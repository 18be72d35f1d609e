"""Reading the queries of pg_stat_statements."""

import pytest

from tasks.postgres.quoting import quote_identifier
from tasks.runner import MigrationRunner
from tasks.runner.errors import RefusedError
from tasks.runner.events import QueriesRead
from tasks.runner.operations.queries import read_queries
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.roles import make_roles, use_as


def read(database: Database) -> QueriesRead:
    (found,) = read_queries(MigrationRunner(database.url))
    assert isinstance(found, QueriesRead)
    return found


def test_only_plain_queries_of_this_database_are_read_with_their_calls(collecting: Database) -> None:
    collecting.execute("CREATE TABLE users (id int PRIMARY KEY, email text, at timestamptz)")
    for statement in (
        "SELECT email FROM users WHERE id = 1",
        "SELECT email FROM users WHERE id = 2",
        "/* trace=abc */ UPDATE users SET email = 'x' -- who",
        "SELECT id FROM users WHERE at > now() - interval '1 day'",
        "CREATE ROLE with_a_password_of_a_test PASSWORD 'do not send'",
        "DROP ROLE with_a_password_of_a_test",
        "SELECT 'do not send' AS a INTO copied",
        "SELECT relname FROM pg_catalog.pg_class LIMIT 1",
        "SELECT 1",
    ):
        collecting.execute(statement)
    found = read(collecting)
    assert {each.text: each.calls for each in found.queries} == {
        "SELECT email FROM users WHERE id = $1": 2,
        "UPDATE users SET email = $1": 1,
        "SELECT id FROM users WHERE at > now() - CAST($1 AS interval)": 1,
    }
    # They are counted since less than an hour.
    assert {each.calls_per_hour for each in found.queries} == {None}
    assert "do not send" not in str(found)
    assert {each.reason for each in found.left_out} == {
        "other than SELECT, INSERT, UPDATE, DELETE or MERGE",
        "without a table of the application",
    }


def test_the_search_path_of_a_role_is_read_and_what_it_may_not_see_is_counted(collecting: Database) -> None:
    with make_roles(collecting) as make:
        role = make("Reader")
        name = quote_identifier(role)
        collecting.execute(
            f"CREATE TABLE t (a int); GRANT SELECT ON t TO {name}; GRANT USAGE ON SCHEMA stats TO {name};"
            f"ALTER DATABASE {collecting.name} SET search_path = elsewhere, public;"
            f"ALTER ROLE {name} IN DATABASE {collecting.name} SET search_path = app, public"
        )
        collecting.execute("SELECT a FROM public.t")
        theirs = use_as(collecting, role)
        theirs.execute("SELECT a + 1 FROM t")
        found = {each.text: (each.role, each.search_path) for each in read(collecting).queries}
        assert found == {
            "SELECT a + $1 FROM t": (role, "app, public"),
            "SELECT a FROM public.t": ("postgres", "elsewhere, public"),
        }
        seen = read(theirs)
        assert [each.text for each in seen.queries] == ["SELECT a + $1 FROM t"]
        assert f"GRANT pg_read_all_stats TO {name};" in seen.not_known[0]
        theirs.close()


def test_a_query_that_is_too_long_is_counted(collecting: Database) -> None:
    collecting.execute("CREATE TABLE t (a int)")
    collecting.execute("SELECT a FROM t WHERE " + " OR ".join(f"a = a + {number} AND t.a IS NOT NULL" for number in range(2000)))
    found = read(collecting)
    assert found.queries == ()
    assert "longer than 64 kB" in {each.reason for each in found.left_out}


def test_a_database_without_the_extension_is_refused_with_the_ways_to_get_queries(collecting: Database) -> None:
    collecting.execute("DROP EXTENSION pg_stat_statements")
    with pytest.raises(RefusedError) as refused:
        read(collecting)
    assert "CREATE EXTENSION pg_stat_statements" in refused.value.hint
    assert "--queries=FILE" in refused.value.hint


def test_a_server_that_does_not_load_the_extension_is_refused(own_server: OwnServer) -> None:
    own_server.create("app")
    database = Database(own_server, "app")
    database.execute("CREATE EXTENSION pg_stat_statements")
    with pytest.raises(RefusedError) as refused:
        read(database)
    assert "shared_preload_libraries" in refused.value.message
    assert refused.value.sqlstate == "55000"
    database.close()
