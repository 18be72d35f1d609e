"""The rows that a rollback loses are counted before it runs."""

import pytest

from tasks.runner.events import PlanMade
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, Operator

SETUP = """
CREATE TABLE users (id int PRIMARY KEY, email text);
INSERT INTO users VALUES (1, 'a'), (2, NULL), (3, 'c');
CREATE TABLE empty (id int, note text);
CREATE SCHEMA app;
CREATE TABLE app.orders (id int) PARTITION BY RANGE (id);
CREATE TABLE app.orders_1 PARTITION OF app.orders FOR VALUES FROM (0) TO (10);
INSERT INTO app.orders VALUES (1);
"""


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    return Operator(project, database)


def find_losses(operator: Operator, down: str) -> list[str]:
    operator.write(A, SETUP, down)
    operator.migrate()
    (plan,) = (event for event in operator.roll_back(dry_run=True) if isinstance(event, PlanMade))
    return [finding.message for finding in plan.findings if finding.kind == "loses rows"]


@pytest.mark.parametrize(
    ("down", "losses"),
    [
        ("DROP TABLE users;", ["DROP TABLE on line 1 removes 3 rows of users"]),
        ("DROP TABLE IF EXISTS missing, empty,\n  app.orders CASCADE;", ["DROP TABLE on line 1 removes 1 row of orders"]),
        ("SELECT 1;\nALTER TABLE users DROP COLUMN email;", ["DROP COLUMN on line 2 removes 2 values of users.email"]),
        ("ALTER TABLE empty DROP COLUMN note;", []),
        ("TRUNCATE users, empty;", ["TRUNCATE on line 1 removes 3 rows of users"]),
        ("DELETE FROM users;", ["DELETE on line 1 removes 3 rows of users"]),
        ("DELETE FROM users WHERE id = 9;", []),
        ("DROP SCHEMA app CASCADE;", ["DROP SCHEMA on line 1 removes 1 row of orders"]),
        ("ALTER TABLE users DROP COLUMN IF EXISTS missing;", []),
        ("ALTER TABLE users ALTER COLUMN email SET NOT NULL;", []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_statement_that_removes_rows_is_a_finding(operator: Operator, down: str, losses: list[str]) -> None:
    assert find_losses(operator, down) == losses


def test_a_locked_table_does_not_stop_the_plan(operator: Operator) -> None:
    operator.write(A, SETUP, "DROP TABLE users;")
    operator.migrate()
    operator.database.execute("ANALYZE users")
    with operator.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE users")
        assert find_losses(operator, "DROP TABLE users;") == ["DROP TABLE on line 1 removes about 3 rows of users"]


def test_the_prompt_of_a_rollback_shows_them(operator: Operator) -> None:
    operator.write(A, SETUP, "DROP TABLE users;")
    operator.project.inv("db.migrate", check=0)
    shown = operator.project.inv("db.rollback", "--dry-run", check=0).stdout
    assert f"{A} (loses rows): DROP TABLE on line 1 removes 3 rows of users" in shown
