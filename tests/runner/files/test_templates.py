"""The templates of new migrations, run on a real server."""

import pglast
import pytest

from tasks.postgres.quoting import quote_identifier
from tasks.runner.errors import RefusedError
from tasks.runner.files.templates import TEMPLATES, Template, choose_template, render
from tasks.runner.parsing.parser import parse_script
from tasks.runner.parsing.script import Script
from tests.kit.databases import Database

VERSION = "20250813140000_create_conversations_table"

SCHEMA = """
CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = CURRENT_TIMESTAMP + interval '1 day';
    RETURN NEW;
END $$;
CREATE TABLE users (id uuid PRIMARY KEY, email text);
CREATE TABLE api_keys (id uuid PRIMARY KEY, key_hash text, user_id uuid);
CREATE TABLE conversations (id uuid PRIMARY KEY, preview text);
CREATE TABLE chat_messages (id uuid PRIMARY KEY, model text);
CREATE TABLE teams (id uuid PRIMARY KEY);
"""

SHAPE = """
SELECT format('column %s.%s %s default %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              pg_get_expr(d.adbin, d.adrelid))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT format('%s valid %s', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index
WHERE indrelid::regclass::text !~ '^pg_'
UNION ALL
SELECT pg_get_triggerdef(oid) FROM pg_trigger
"""


WHOLE = [template.example for template in TEMPLATES if "NOT WRITTEN YET" not in template.down]
"""The names whose template can run unchanged."""


def read_shape(database: Database) -> set[str]:
    return {shape for (shape,) in database.query(SHAPE)}


def parse(text: str) -> Script:
    return parse_script(text, file="x.sql", version=VERSION, ledger_schema="public")


def render_named(description: str) -> tuple[str, str]:
    text = render(f"{VERSION[:14]}_{description}")
    return text.up, text.down


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.example)
def test_the_example_of_a_template_matches_it(template: Template) -> None:
    assert choose_template(template.example) is template


@pytest.mark.parametrize("description", WHOLE)
def test_new_files_run_up_down_and_up_again_unchanged(database: Database, description: str) -> None:
    database.execute(SCHEMA)
    before = read_shape(database)
    up, down = render_named(description)
    database.execute(up)
    after = read_shape(database)
    assert after > before
    database.execute(down)
    assert read_shape(database) == before
    database.execute(up)
    assert read_shape(database) == after


@pytest.mark.parametrize("description", ["drop_teams_table", "drop_preview_from_conversations"])
def test_a_drop_runs_and_its_unwritten_down_is_refused(database: Database, description: str) -> None:
    database.execute(SCHEMA)
    before = read_shape(database)
    up, down = render_named(description)
    database.execute(up)
    assert read_shape(database) < before
    with pytest.raises(RefusedError, match="is not written yet"):
        parse(down)


@pytest.mark.parametrize("text", render_named("merge_duplicate_roles"), ids=["up", "down"])
def test_the_plain_template_is_refused_until_it_is_written(text: str) -> None:
    with pytest.raises(RefusedError, match="is not written yet"):
        parse(text)


@pytest.mark.parametrize("description", ["drop_teams_table", "drop_preview_from_conversations", "merge_duplicate_roles"])
def test_an_unwritten_down_accepts_the_directive_that_it_shows(description: str) -> None:
    down = render_named(description)[1]
    directive = "-- migrate: irreversible REASON\n"
    assert down.endswith(directive)
    assert parse(down + directive).irreversible == "REASON"


@pytest.mark.parametrize("table", ["user", "order", "authorization", "values", "2fa_codes", "settings"])
def test_a_table_of_any_name_is_created_with_its_trigger_and_dropped(database: Database, table: str) -> None:
    database.execute(SCHEMA)
    up, down = render_named(f"create_{table}_table")
    database.execute(up)
    database.execute(f'INSERT INTO "{table}" DEFAULT VALUES')
    update = f'UPDATE "{table}" SET id = id RETURNING updated_at > created_at'
    assert database.query(update) == [(True,)]
    assert database.query("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == [(f"update_{table}_updated_at",)]
    database.execute(down)
    assert database.query("SELECT to_regclass(%s)", f'"{table}"') == [(None,)]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("is_admin", "boolean default false"),
        ("team_id", "uuid default "),
        ("expires_at", "timestamp without time zone default "),
        ("login_count", "integer default 0"),
        ("settings", "jsonb default '{}'::jsonb"),
        ("user_metadata", "jsonb default '{}'::jsonb"),
        ("order", "text default "),
        ("2fa", "text default "),
        ("nickname", "text default "),
    ],
)
def test_the_type_of_an_added_column_is_guessed_from_its_name(database: Database, column: str, kind: str) -> None:
    database.execute(SCHEMA)
    database.execute(render_named(f"add_{column}_to_users")[0])
    assert f"column users.{column} {kind}" in read_shape(database)


@pytest.mark.parametrize(
    ("description", "statement"),
    [
        ("add_user_settings_table", "CREATE TABLE user_settings ("),
        ("create_conversations_table", "CREATE TABLE conversations ("),
        ("add_email_column_to_users", "ALTER TABLE users ADD COLUMN email text;"),
        ("add_email_to_users_table", "ALTER TABLE users ADD COLUMN email text;"),
        ("add_link_to_asset_to_users", "ALTER TABLE users ADD COLUMN link_to_asset text;"),
        ("add_email_to_user", 'ALTER TABLE "user" ADD COLUMN email text;'),
        ("remove_email_from_users", "ALTER TABLE users DROP COLUMN email;"),
        ("drop_email_column_from_users_table", "ALTER TABLE users DROP COLUMN email;"),
        ("drop_copy_from_asset_from_users", "ALTER TABLE users DROP COLUMN copy_from_asset;"),
        ("drop_order_table", 'DROP TABLE "order";'),
        ("remove_teams_table", "DROP TABLE teams;"),
        ("index_users_on_email", "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        ("create_index_on_users_on_email", "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        ("add_index_on_users_email", "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        ("create_index_on_users_email", "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        ("add_index_on_email_to_users", "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        ("add_unique_index_on_users_email", "CREATE UNIQUE INDEX CONCURRENTLY idx_users_email ON users (email);"),
        (
            "add_index_on_chat_messages_role",
            "CREATE INDEX CONCURRENTLY idx_chat_messages_role ON chat_messages (role);",
        ),
        ("add_index_on_user_email", 'CREATE INDEX CONCURRENTLY idx_user_email ON "user" (email);'),
    ],
)
def test_a_name_is_read_as_the_change_that_it_describes(description: str, statement: str) -> None:
    assert f"\n{statement}" in render_named(description)[0]


@pytest.mark.parametrize(
    "description",
    [
        "create_users_and_roles_table",
        "add_email_and_name_to_users",
        "add_columns_to_users",
        "add_foreign_key_to_api_keys",
        "add_email_index_to_users",
        "add_index_to_users",
        "add_index_on_users",
        "create_index_on_users_table",
        "drop_index_from_users",
        "drop_constraint_from_users",
        "add_rbac_tables",
        "add_to_users",
        f"create_{'a' * 64}_table",
        f"add_{'a' * 64}_to_users",
    ],
)
def test_a_name_that_does_not_describe_a_change_gets_the_last_template(description: str) -> None:
    assert choose_template(description) is TEMPLATES[-1]


def test_long_names_are_truncated_as_the_server_truncates_them(database: Database) -> None:
    database.execute(SCHEMA)
    table = "a" * 63
    notices: list[str | None] = []
    with database.connect() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        for text in render_named(f"create_{table}_table"):
            connection.execute(text.encode())
    assert notices == []


def test_every_keyword_of_the_server_can_be_a_table_and_a_column(database: Database) -> None:
    words = [word for (word,) in database.query("SELECT word FROM pg_get_keywords()")]
    columns = ", ".join(f"{quote_identifier(word)} integer" for word in words)
    database.execute(f"CREATE TABLE every_word ({columns})")
    for word in words:
        database.execute(f"CREATE TABLE {quote_identifier(word)} ()")
    tables = database.query("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert {name for (name,) in tables} == {"every_word", *words}
    assert "user" in words


def test_both_files_begin_with_the_header_of_the_strategy_document() -> None:
    up, down = render_named("create_conversations_table")
    first = "-- Migration: 20250813140000_create_conversations_table.sql"
    assert up.splitlines()[:2] == [first, "-- Description: Create conversations table"]
    assert down.splitlines()[:2] == [first, "-- Description: Undo: create conversations table"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.example)
def test_no_template_opens_a_transaction_or_records_itself(template: Template) -> None:
    statements = [type(raw.stmt).__name__ for text in render_named(template.example) for raw in pglast.parse_sql(text)]
    assert not {"TransactionStmt", "InsertStmt"} & set(statements)
    assert "No BEGIN, COMMIT or INSERT INTO schema_migrations here" in render_named(template.example)[0]
