"""The files of new migrations on a real server: without a change by hand, they run up, down and up again."""

from pathlib import Path

import pglast
import psycopg
import pytest

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog
from tasks.postgres.quoting import quote_identifier
from tasks.runner.errors import RefusedError
from tasks.runner.files.new import NewMigration
from tasks.runner.parsing.parser import parse_script
from tasks.runner.parsing.script import Script
from tasks.templates.render import create_from_name
from tests.kit.databases import Database
from tests.kit.projects import Project, make_project
from tests.runner.operating import Operator
from tests.templates.checkouts import BASE, DOWN, NOW, UP, list_statements, render_all, write_base

PAIRS = {
    "add_fk_api_keys_user_id": "validate_api_keys_user_id_foreign_key",
    "add_user_id_foreign_key_to_api_keys": "validate_api_keys_user_id_foreign_key",
    "add_category_ref_to_users": "validate_users_category_id_foreign_key",
    "add_not_null_to_users_email": "set_users_email_not_null",
    "make_order_user_required": "set_order_user_not_null",
}
"""Names that make two migrations, with the name of the second one."""

WHOLE = [
    *PAIRS,
    "add_index_to_users_on_email",
    "add_unique_index_on_key_hash_to_api_keys",
    "index_sessions_on_token",
    "index_order_on_user_and_total",
    "add_unique_email_to_users",
    "add_unique_constraint_to_sessions_on_token",
    "add_phone_and_team_name_to_users",
    "add_nickname_to_categories",
    "add select and is_active to order",
    "add_timestamps_to_users",
    "add_timestamps_to_order",
    "rename_email_to_contact_in_users",
    "rename_users_email_to_select",
    "rename_order_to_purchases",
    "rename_table_auth_sessions_to_logins",
    "create_badges",
    "create_select_table",
    "create table auth.badges",
    "create_2fa_codes_table",
    "enable_pgcrypto",
    "enable_uuid_ossp",
    "enable_pgvector",
    "enable_rls_on_users",
    f"create_{'a' * 63}_table",
]
"""Names whose files are complete: all forms that have a down, with quoted, qualified and long names."""

UNDOCUMENTED_DOWN = ["drop_teams_table", "drop_teams", "drop_preview_from_conversations", "remove_name_and_email_from_users"]


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator of a project whose first migration has created the tables."""
    write_base(project.migrations)
    operator = Operator(project, database)
    operator.migrate()
    return operator


@pytest.fixture
def any_operator(tmp_path: Path, any_database: Database) -> Operator:
    """Return an operator of an empty project, on the newest and the oldest server in turn."""
    return Operator(make_project(tmp_path / "project", any_database.url), any_database)


def create(operator: Operator, name: str) -> tuple[NewMigration, ...]:
    return create_from_name(operator.project.migrations, name, now=NOW)


def read_schema(operator: Operator) -> Catalog:
    return operator.database.ask(read_catalog)


def list_changes(before: Catalog, after: Catalog) -> list[str]:
    """Return what differs, but for the order of columns, which a column that was dropped changes."""
    return [str(change.key) for change in compare(before, after).changes if change.key.kind != COLUMN_ORDER]


def parse(text: str) -> Script:
    return parse_script(text, file="x.sql", version=BASE, ledger_schema="public")


@pytest.mark.parametrize("name", WHOLE)
def test_new_files_run_up_down_and_up_again_unchanged(operator: Operator, name: str) -> None:
    before = read_schema(operator)
    made = create(operator, name)
    operator.migrate()
    after = read_schema(operator)
    assert list_changes(before, after)
    operator.roll_back(steps=len(made))
    assert list_changes(before, read_schema(operator)) == []
    operator.migrate()
    assert list_changes(after, read_schema(operator)) == []
    assert operator.read_applied() == [BASE, *(each.version for each in made)]


@pytest.mark.parametrize(
    "name", ["add_fk_api_keys_user_id", "add_not_null_to_users_email", "add_timestamps_to_users", "create_badges"]
)
def test_new_files_run_on_the_oldest_server(any_operator: Operator, name: str) -> None:
    write_base(any_operator.project.migrations)
    made = create(any_operator, name)
    any_operator.migrate()
    before = read_schema(any_operator)
    any_operator.roll_back(steps=len(made))
    any_operator.migrate()
    assert list_changes(before, read_schema(any_operator)) == []


@pytest.mark.parametrize(("name", "second"), PAIRS.items())
def test_a_constraint_is_validated_in_a_second_migration_one_second_later(operator: Operator, name: str, second: str) -> None:
    first, later = create(operator, name)
    assert (first.version[:15], later.version) == ("20260101000000_", f"20260101000001_{second}")
    assert first.up.read_text().count("NOT VALID;") == 1
    assert "VALIDATE" not in list_statements(first.up.read_text())
    unvalidated = "SELECT count(*) FROM pg_constraint WHERE NOT convalidated"
    operator.migrate(to=first.version)
    assert operator.database.query(unvalidated) == [(1,)]
    operator.migrate()
    assert operator.database.query(unvalidated) == [(0,)]
    operator.roll_back()
    assert operator.database.query(unvalidated) == [(1,)]


def test_the_foreign_key_refuses_new_rows_before_rows_that_exist_are_checked(operator: Operator) -> None:
    orphan = "INSERT INTO api_keys (id, user_id) VALUES (gen_random_uuid(), gen_random_uuid())"
    operator.database.execute(orphan)
    first, _ = create(operator, "add_fk_api_keys_user_id")
    operator.migrate(to=first.version)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        operator.database.execute(orphan)


def test_an_index_is_built_without_blocking_writes(operator: Operator) -> None:
    (made,) = create(operator, "add_index_to_users_on_email")
    (segment,) = parse(made.up.read_text()).segments
    assert not segment.transactional
    assert made.down is not None
    assert list_statements(made.down.read_text()) == "DROP INDEX CONCURRENTLY idx_users_email;"


@pytest.mark.parametrize("name", UNDOCUMENTED_DOWN)
def test_a_drop_runs_and_its_unwritten_down_is_refused(operator: Operator, name: str) -> None:
    before = read_schema(operator)
    (made,) = create(operator, name)
    assert made.down is not None
    operator.migrate()
    assert list_changes(before, read_schema(operator))
    with pytest.raises(RefusedError, match="is not written yet"):
        operator.roll_back()
    directive = "-- migrate: irreversible REASON\n"
    assert made.down.read_text().endswith(directive)
    assert parse(made.down.read_text() + directive).irreversible == "REASON"


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        *((name, True) for name in UNDOCUMENTED_DOWN),
        ("rename_email_to_contact_in_users", True),
        ("rename_order_to_purchases", True),
        ("add_phone_and_team_name_to_users", False),
        ("create_badges", False),
    ],
)
def test_drops_and_renames_run_after_the_deployment(operator: Operator, name: str, marked: bool) -> None:
    (made,) = create(operator, name)
    assert parse(made.up.read_text()).after_deploy == marked


def test_an_empty_body_is_refused_until_it_is_written(operator: Operator) -> None:
    (made,) = create(operator, "merge_duplicate_roles")
    for path in (made.up, made.down):
        assert path is not None
        with pytest.raises(RefusedError, match="is not written yet"):
            parse(path.read_text())
    with pytest.raises(RefusedError, match="is not written yet"):
        operator.migrate()


@pytest.mark.parametrize("table", ["user", "order", "authorization", "values", "2fa_codes", "settings"])
def test_a_table_of_any_name_is_created_with_its_trigger_and_dropped(project: Project, database: Database, table: str) -> None:
    operator = Operator(project, database)
    function, drop = UP.partition("CREATE SCHEMA")[0], DOWN.splitlines()[-1]
    write_base(project.migrations, function, drop)
    create(operator, f"create_{table}_table")
    operator.migrate()
    database.execute(f'INSERT INTO "{table}" DEFAULT VALUES')
    update = f'UPDATE "{table}" SET id = id RETURNING updated_at > created_at'
    assert database.query(update) == [(True,)]
    assert database.query("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == [(f"update_{table}_updated_at",)]
    operator.roll_back()
    assert database.query("SELECT to_regclass(%s)", f'"{table}"') == [(None,)]


def test_a_first_table_runs_on_the_database_of_another_project(project: Project, database: Database) -> None:
    operator = Operator(project, database)
    create(operator, "create_things_table")
    operator.migrate()
    assert operator.read_tables() == ["things"]


def test_names_of_the_greatest_length_cause_no_notice_of_the_server(database: Database) -> None:
    database.execute(UP.partition("CREATE SCHEMA")[0])
    table = "a" * 63
    notices: list[str | None] = []
    with database.connect() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        for name in (f"create_{table}_table", f"add_{'b' * 63}_to_{table}", f"index_{table}_on_{'b' * 63}"):
            for each in render_all(name):
                connection.execute(each.up.replace("CONCURRENTLY", "").encode())
    assert notices == []


def test_a_flat_folder_gets_two_up_files_for_a_pair(tmp_path: Path) -> None:
    (tmp_path / f"{BASE}.sql").write_text(UP)
    made = create_from_name(tmp_path, "add_fk_api_keys_user_id", now=NOW)
    assert [(each.up.parent, each.down) for each in made] == [(tmp_path, None), (tmp_path, None)]
    assert [bool(each.notes) for each in made] == [False, True]


@pytest.mark.parametrize("name", [*WHOLE, "merge_duplicate_roles"])
def test_both_files_begin_with_the_header_of_the_strategy_document(tmp_path: Path, name: str) -> None:
    write_base(tmp_path)
    for made in create_from_name(tmp_path, name, now=NOW):
        assert made.down is not None
        words = made.version[15:].replace("_", " ")
        for path, description in ((made.up, words.capitalize()), (made.down, f"Undo: {words}")):
            text = path.read_text()
            assert text.splitlines()[:2] == [f"-- Migration: {made.version}.sql", f"-- Description: {description}"]
            assert "No BEGIN, COMMIT or INSERT INTO schema_migrations here" in text
            statements = [type(raw.stmt).__name__ for raw in pglast.parse_sql(text)]
            assert not {"TransactionStmt", "InsertStmt"} & set(statements)


def test_every_keyword_of_the_server_can_be_a_table_and_a_column(database: Database) -> None:
    words = [word for (word,) in database.query("SELECT word FROM pg_get_keywords()")]
    columns = ", ".join(f"{quote_identifier(word)} integer" for word in words)
    database.execute(f"CREATE TABLE every_word ({columns})")
    for word in words:
        database.execute(f"CREATE TABLE {quote_identifier(word)} ()")
    tables = database.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert {name for (name,) in tables} == {"every_word", *words}
    assert "user" in words
