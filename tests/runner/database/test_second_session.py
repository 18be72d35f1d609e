"""A run needs two sessions at the same time: where one cannot be had, it is refused before anything is changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from psycopg import sql

from tasks.runner import MigrationRunner
from tasks.runner.database import second_session
from tasks.runner.database.run_lock import RunLock
from tasks.runner.errors import RefusedError
from tests.kit.databases import Database, ask
from tests.kit.poolers import Pooler
from tests.kit.waiting import wait_until
from tests.runner.operating import A, Operator


@dataclass
class Role:
    """A role that may create tables in the test's database."""

    database: Database
    name: str

    @property
    def url(self) -> str:
        """Return the URL of the database for this role."""
        return self.database.url.replace("postgres@", f"{quote(self.name)}@")

    def limit(self, number: int) -> None:
        """Limit the number of its sessions."""
        self.database.execute(f'ALTER ROLE "{self.name}" CONNECTION LIMIT {number}')

    def await_sessions(self, number: int) -> None:
        """Wait until it has so many sessions: the server ends one a moment after its client is gone."""
        count = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
        wait_until(lambda: self.database.query(count, self.name) == [(number,)], what="the end of other sessions")


@pytest.fixture
def role(database: Database) -> Iterator[Role]:
    """Yield a role without sessions."""
    role = Role(database, f"Limited {database.name}")
    name = sql.Identifier(role.name)
    database.server.administer(sql.SQL("CREATE ROLE {} LOGIN").format(name))
    try:
        database.execute(f'GRANT CREATE ON SCHEMA public TO "{role.name}"')
        yield role
    finally:
        database.execute(f'DROP OWNED BY "{role.name}" CASCADE')
        database.server.administer(sql.SQL("DROP ROLE {}").format(name))


def make_runner(operator: Operator, url: str) -> MigrationRunner:
    operator.write_tables(A)
    return MigrationRunner(url, migrations_dir=operator.project.migrations, watch_drift=False)


@pytest.mark.parametrize("pgbouncer", [1], indirect=True)
def test_a_pool_of_one_is_refused(operator: Operator, pgbouncer: Pooler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_session, "_POOLER_LIMIT_S", 0.5)
    with pytest.raises(RefusedError, match="a run needs two sessions at the same time") as refused:
        make_runner(operator, pgbouncer.url).run_migrations()
    assert "DIRECT_DATABASE_URL" in refused.value.hint
    assert "pool_size" in refused.value.hint
    assert refused.value.state == "Nothing was changed."
    assert operator.read_tables() == []


@pytest.mark.parametrize("pgbouncer", [2], indirect=True)
def test_a_pool_of_two_is_enough(operator: Operator, pgbouncer: Pooler) -> None:
    assert make_runner(operator, pgbouncer.url).run_migrations() == [A]


def test_a_role_with_one_session_is_refused(operator: Operator, role: Role) -> None:
    role.limit(1)
    with pytest.raises(RefusedError, match=f"role {role.name} has CONNECTION LIMIT 1") as refused:
        make_runner(operator, role.url).run_migrations()
    assert f'ALTER ROLE "{role.name}" CONNECTION LIMIT 3;' in refused.value.hint
    assert operator.read_tables() == []


def test_a_role_with_two_sessions_is_enough(operator: Operator, role: Role) -> None:
    role.limit(2)
    assert make_runner(operator, role.url).run_migrations() == [A]


def test_the_limit_of_a_database_is_named(operator: Operator, role: Role) -> None:
    operator.database.execute(f'ALTER DATABASE "{operator.database.name}" CONNECTION LIMIT 1')
    operator.database.close()
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{operator.database.name}'"
    wait_until(lambda: ask(operator.database.server.url(), sessions) == 0, what="the end of other sessions")
    with pytest.raises(RefusedError, match=f"database {operator.database.name} has CONNECTION LIMIT 1"):
        make_runner(operator, role.url).run_migrations()


def test_other_sessions_of_the_role_are_named_as_the_reason(operator: Operator, role: Role) -> None:
    role.limit(2)
    with (
        role.database.connect(user=role.name),
        pytest.raises(RefusedError, match="CONNECTION LIMIT 2, and other sessions use it up"),
    ):
        make_runner(operator, role.url).run_migrations()
    role.await_sessions(0)
    assert make_runner(operator, role.url).run_migrations() == [A]


def test_a_session_that_ends_before_the_limit_is_read_is_no_reason_to_refuse(
    operator: Operator, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_limit = second_session._find_limit
    other = role.database.connect(user=role.name)

    def end_before(lock: RunLock) -> object:
        other.close()
        role.await_sessions(1)
        return find_limit(lock)

    monkeypatch.setattr(second_session, "_find_limit", end_before)
    role.limit(2)
    assert make_runner(operator, role.url).run_migrations() == [A]
