"""The ledger is closed to others than its owner from the transaction that creates it: real roles try to use it."""

from collections.abc import Callable

import pytest
from psycopg import errors, sql

from tasks.adopt.examine import read_subject
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.schema_file import NAME, SchemaFile
from tasks.runner.ledger.privileges import Access, Grant, compose_revokes
from tasks.runner.ledger.tables import HELPER_TABLES
from tasks.runner.operations.adopt import adopt
from tasks.runner.operations.load import load_schema
from tests.kit.databases import Database
from tests.kit.roles import MakeRole, grant_by_default, use_as
from tests.runner.operating import A, Operator, operate_as

HELPERS = tuple(f"schema_migrations{suffix}" for suffix in HELPER_TABLES)
ODD = 'a"b;$x$ é\n\\%s'
"""A part of a name of a role, which has to be quoted in every respect."""
WRITING = (
    "INSERT INTO {} DEFAULT VALUES",
    "UPDATE {} SET {} = NULL",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DO $$BEGIN LOCK TABLE {} IN ROW EXCLUSIVE MODE; END$$",
    "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
)


def list_grants(database: Database) -> list[tuple[str, ...]]:
    """Return relation, grantee and privilege of what others than the owner may do with the ledger's tables and sequence."""
    return database.query(
        "SELECT DISTINCT relname::text, coalesce(rolname::text, 'PUBLIC'), privilege_type FROM pg_class c"
        " LEFT JOIN pg_attribute a ON attrelid = c.oid"
        " CROSS JOIN LATERAL (SELECT * FROM aclexplode(relacl) UNION SELECT * FROM aclexplode(attacl)) x"
        " LEFT JOIN pg_roles r ON r.oid = grantee WHERE relname ~ '^schema_migrations(_log|_meta|_scripts|_seeds|_log_id_seq)?$'"
        " AND grantee <> relowner ORDER BY 1, 2, 3"
    )


def create_by_run(operator: Operator) -> None:
    operator.migrate()


def create_on_purpose(operator: Operator) -> None:
    operator.make_runner().create_ledger()


def adopt_nothing(operator: Operator) -> None:
    runner = operator.make_runner()
    list(adopt(runner, read_subject(runner, read_migrations(runner.migrations_dir)).seen, []))


def take_over(operator: Operator) -> None:
    with operator.database.connect() as connection:
        connection.execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)")
    adopt_nothing(operator)


def load(operator: Operator) -> None:
    checksums = read_migrations(operator.project.migrations).checksums
    (operator.project.migrations / NAME).write_text(SchemaFile("CREATE TABLE a (id int);", checksums).write())
    list(load_schema(operator.make_runner()))


def rebuild(operator: Operator) -> None:
    operator.migrate()
    with operator.database.connect() as connection:
        connection.execute(f"DROP TABLE schema_migrations, {', '.join(HELPERS[1:])}")
    operator.repair()


@pytest.mark.parametrize("create", [create_by_run, create_on_purpose, adopt_nothing, take_over, load, rebuild])
def test_default_privileges_do_not_open_a_new_ledger(
    operator: Operator, make_role: MakeRole, create: Callable[[Operator], None]
) -> None:
    owner, app, odd = make_role("owner", creates=True), make_role("app"), make_role(ODD)
    grant_by_default(operator.database, owner, app, "PUBLIC")
    grant_by_default(operator.database, owner, app, odd, schema="public")
    operator.write_tables(A)
    create(operate_as(operator, owner))
    expected = [("schema_migrations", who, "SELECT") for who in ("PUBLIC", odd, app)]
    assert sorted(list_grants(operator.database)) == sorted(expected)


def test_a_ledger_in_a_schema_whose_name_needs_quotes_is_closed(operator: Operator, make_role: MakeRole) -> None:
    owner, app, schema = make_role("owner"), make_role("app"), 'O"wn; s'
    names = {"schema": sql.Identifier(schema), "owner": sql.Identifier(owner)}
    for text in ("CREATE SCHEMA {schema} AUTHORIZATION {owner}", "ALTER ROLE {owner} SET search_path = {schema}"):
        operator.database.execute(sql.SQL(text).format(**names).as_string())
    grant_by_default(operator.database, owner, app, schema=schema)
    operator.write_tables(A)
    operate_as(operator, owner).migrate()
    assert list_grants(operator.database) == [("schema_migrations", app, "SELECT")]


def test_a_role_with_default_privileges_can_neither_write_nor_read(any_operator: Operator, make_role: MakeRole) -> None:
    operator = any_operator
    owner, app = make_role("owner", creates=True), make_role("app")
    grant_by_default(operator.database, owner, app)
    operator.write_tables(A)
    operate_as(operator, owner).migrate()
    columns = dict(
        operator.database.query(
            "SELECT relname::text, attname::text FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum = 2"
            " WHERE relname = ANY (%s)",
            ["schema_migrations", *HELPERS],
        )
    )
    attempts = [text.format(table, column) for table, column in columns.items() for text in WRITING]
    attempts += [f"SELECT FROM {table}" for table in HELPERS]
    attempts += [
        f"CREATE TABLE mine (v varchar REFERENCES {table})" for table in ("schema_migrations", "schema_migrations_scripts")
    ]
    attempts += [f"COPY {table} FROM STDIN" for table in columns]
    attempts += ["SELECT nextval('schema_migrations_log_id_seq')", "SELECT * FROM schema_migrations_log_id_seq"]
    operator.database.execute(f'GRANT CREATE ON SCHEMA public TO "{app}"')
    with use_as(operator.database, app).connect() as connection:
        for attempt in attempts:
            with pytest.raises(errors.InsufficientPrivilege, match=r"permission denied for (table|sequence) schema_migrations"):
                connection.execute(attempt.encode())
        assert connection.execute("SELECT version FROM schema_migrations").fetchall() == [(A,)]


def test_the_readers_may_read_the_log_and_the_metadata_and_nothing_else(operator: Operator, make_role: MakeRole) -> None:
    owner, reader = make_role("owner", creates=True), make_role(ODD)
    grant_by_default(operator.database, owner, reader)
    operator.write_tables(A)
    operate_as(operator, owner).migrate(ledger_readers=(reader,))
    tables = ("schema_migrations", "schema_migrations_log", "schema_migrations_meta")
    assert list_grants(operator.database) == [(table, reader, "SELECT") for table in tables]


@pytest.mark.parametrize("create", [create_by_run, create_on_purpose, adopt_nothing, take_over, load])
def test_a_reader_that_does_not_exist_is_refused_before_anything_changes(
    operator: Operator, create: Callable[[Operator], None]
) -> None:
    operator.write_tables(A)
    careless = operate_as(operator, "postgres", ledger_readers=("nobody at all", "public"))
    with pytest.raises(RefusedError, match="LEDGER_READERS names what is not a role on this server: nobody at all, public"):
        create(careless)
    assert operator.database.query("SELECT FROM pg_class WHERE relname ~ '^(schema_migrations_log|a)$'") == []


def make_grant(grantee: str | None, grantor: str | None = None, privilege: str = "INSERT") -> Grant:
    return Grant(HELPERS[0], False, grantee, grantor, privilege, is_member=False, is_own=False, is_revocable=True)


@pytest.mark.parametrize(
    ("grants", "statements"),
    [
        ([make_grant(None), make_grant(None, privilege="SELECT")], ["INSERT, SELECT ON s.{} FROM PUBLIC"]),
        ([make_grant("b"), make_grant("a", "b")], ["INSERT ON s.{} FROM b", "GRANT OPTION FOR INSERT ON s.{} FROM b"]),
        ([make_grant("c", "b"), make_grant("b", "a")], ["GRANT OPTION FOR INSERT ON s.{} FROM a"]),
        (
            [make_grant("b", "c"), make_grant("c", "b"), make_grant("c")],
            ["GRANT OPTION FOR INSERT ON s.{} FROM c", "INSERT ON s.{} FROM c"],
        ),
    ],
    ids=["directly", "passed on", "by others", "in a circle"],
)
def test_what_was_passed_on_is_revoked_from_whom_the_owner_granted_it(grants: list[Grant], statements: list[str]) -> None:
    composed = compose_revokes(Access("s", tuple(grants)), grants)
    assert composed == [f"REVOKE {text.format(HELPERS[0])} CASCADE" for text in statements]
