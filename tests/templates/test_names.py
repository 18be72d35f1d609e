"""What names mean: the statements of their files, for all forms and for names that only look like one."""

from pathlib import Path

import pytest

from tests.templates.checkouts import UP, know, list_statements, render_all

USERS_INDEX = "CREATE INDEX CONCURRENTLY idx_users_email ON users (email);"
API_KEY_INDEX = "CREATE INDEX CONCURRENTLY idx_api_keys_user_id ON api_keys (user_id);"
USERS_KEY = (
    "CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);\n"
    "ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE USING INDEX users_email_key;"
)
USERS_COLUMN = "ALTER TABLE users ADD COLUMN nickname text;"
NOT_NULL = "ALTER TABLE users ADD CONSTRAINT users_email_is_not_null CHECK (email IS NOT NULL) NOT VALID;"
FOREIGN_KEY = (
    "CREATE INDEX CONCURRENTLY idx_api_keys_user_id ON api_keys (user_id);\n"
    "ALTER TABLE api_keys ADD CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;"
)
VECTOR = "CREATE EXTENSION IF NOT EXISTS vector;"

WITHOUT_A_SCHEMA = {
    "add_index_to_users_on_email": USERS_INDEX,
    "index_users_on_email": USERS_INDEX,
    "create_index_on_users_on_email": USERS_INDEX,
    "create_index_for_users_on_email": USERS_INDEX,
    "add_index_on_users_email": USERS_INDEX,
    "add_index_to_users_email": USERS_INDEX,
    "add_index_on_email_to_users": USERS_INDEX,
    "add_index_on_email_in_users": USERS_INDEX,
    "add_email_index_to_users": USERS_INDEX,
    "Add index to users on email": USERS_INDEX,
    "AddIndexToUsersOnEmail.sql": USERS_INDEX,
    "add_index_on_api_keys_user_id": API_KEY_INDEX,
    "add_index_on_user_email": 'CREATE INDEX CONCURRENTLY idx_user_email ON "user" (email);',
    "index_users_on_last_name_and_email": "CREATE INDEX CONCURRENTLY idx_users_last_name_email ON users (last_name, email);",
    "add_unique_index_on_users_email": USERS_INDEX.replace("CREATE", "CREATE UNIQUE"),
    "add_unique_index_to_users_on_email": USERS_INDEX.replace("CREATE", "CREATE UNIQUE"),
    "add_unique_to_users_email": USERS_KEY,
    "add_unique_constraint_to_users_on_email": USERS_KEY,
    "add_unique_constraint_on_users_email": USERS_KEY,
    "add_unique_constraint_on_email_to_users": USERS_KEY,
    "add_email_unique_constraint_to_users": USERS_KEY,
    "make_users_email_unique": USERS_KEY,
    "add_not_null_to_users_email": NOT_NULL,
    "add_not_null_constraint_to_users_email": NOT_NULL,
    "add_not_null_to_email_in_users": NOT_NULL,
    "make_users_email_not_null": NOT_NULL,
    "set_users_email_not_null": NOT_NULL,
    "make_email_required_in_users": NOT_NULL,
    "add_nickname_to_users": USERS_COLUMN,
    "add_column_nickname_to_users": USERS_COLUMN,
    "add_nickname_column_to_users": USERS_COLUMN,
    "add_nickname_to_users_table": USERS_COLUMN,
    "add nickname to auth.users": "ALTER TABLE auth.users ADD COLUMN nickname text;",
    "add_nickname_to_auth.users": "ALTER TABLE auth.users ADD COLUMN nickname text;",
    "add_email_and_phone_to_users": "ALTER TABLE users ADD COLUMN email text, ADD COLUMN phone text;",
    "add email, phone and login_count to users": (
        "ALTER TABLE users ADD COLUMN email text, ADD COLUMN phone text, ADD COLUMN login_count integer DEFAULT 0;"
    ),
    "add_link_to_asset_to_users": "ALTER TABLE users ADD COLUMN link_to_asset text;",
    "add_email_to_user": 'ALTER TABLE "user" ADD COLUMN email text;',
    "add_select_to_order": 'ALTER TABLE "order" ADD COLUMN "select" text;',
    "remove_email_from_users": "ALTER TABLE users DROP COLUMN email;",
    "drop_email_column_from_users_table": "ALTER TABLE users DROP COLUMN email;",
    "drop_copy_from_asset_from_users": "ALTER TABLE users DROP COLUMN copy_from_asset;",
    "remove_email_and_phone_from_users": "ALTER TABLE users DROP COLUMN email, DROP COLUMN phone;",
    "rename_email_to_contact_in_users": "ALTER TABLE users RENAME COLUMN email TO contact;",
    "rename_a_to_b_in_t": "ALTER TABLE t RENAME COLUMN a TO b;",
    "rename_column_email_to_contact_on_users": "ALTER TABLE users RENAME COLUMN email TO contact;",
    "rename_logins_to_visits_in_users": "ALTER TABLE users RENAME COLUMN logins TO visits;",
    "rename_users_to_accounts": "ALTER TABLE users RENAME TO accounts;",
    "rename_table_user_to_account": 'ALTER TABLE "user" RENAME TO account;',
    "rename_users_table_to_accounts": "ALTER TABLE users RENAME TO accounts;",
    "rename table auth.users to accounts": "ALTER TABLE auth.users RENAME TO accounts;",
    "drop_order_table": 'DROP TABLE "order";',
    "drop_table_teams": "DROP TABLE teams;",
    "remove_teams_table": "DROP TABLE teams;",
    "add_timestamps_to_users": (
        "ALTER TABLE users ADD COLUMN created_at timestamp DEFAULT CURRENT_TIMESTAMP,"
        " ADD COLUMN updated_at timestamp DEFAULT CURRENT_TIMESTAMP;"
    ),
    "add_index_concurrently_to_users_on_email": USERS_INDEX,
    "add_unique_key_to_users_email": USERS_KEY,
    "disable_rls_on_users": "ALTER TABLE users DISABLE ROW LEVEL SECURITY;",
    "enable_rls_on_users": "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
    "enable_row_level_security_on_users": "ALTER TABLE users ENABLE ROW LEVEL SECURITY;",
    "enable_pgvector": VECTOR,
    "enable_vector": VECTOR,
    "enable_vector_extension": VECTOR,
    "add_pgvector_extension": VECTOR,
    "create_extension_vector": VECTOR,
    "enable_uuid_ossp": 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";',
    "enable_uuid-ossp": 'CREATE EXTENSION IF NOT EXISTS "uuid-ossp";',
    "enable_pg_trgm": "CREATE EXTENSION IF NOT EXISTS pg_trgm;",
    "install_postgis": "CREATE EXTENSION IF NOT EXISTS postgis;",
    "add_http_extension": "CREATE EXTENSION IF NOT EXISTS http;",
    "drop_pgcrypto_extension": "DROP EXTENSION pgcrypto;",
}
"""Names that are read without any knowledge of the schema."""

WITH_A_SCHEMA = {
    "add_fk_api_keys_user_id": FOREIGN_KEY,
    "add_fk_to_api_keys_on_user_id": FOREIGN_KEY,
    "add_fk_on_api_keys_user_id": FOREIGN_KEY,
    "add_fk_api_keys_users": FOREIGN_KEY,
    "add_fk_from_api_keys_to_users": FOREIGN_KEY,
    "add_fk_api_keys_to_users": FOREIGN_KEY,
    "add_api_keys_user_id_fk": FOREIGN_KEY,
    "add_api_keys_user_id_foreign_key": FOREIGN_KEY,
    "add_api_keys_user_foreign_key": FOREIGN_KEY,
    "add_user_id_foreign_key_to_api_keys": FOREIGN_KEY,
    "add_user_foreign_key_to_api_keys": FOREIGN_KEY,
    "add_foreign_key_to_api_keys_on_user_id": FOREIGN_KEY,
    "add_foreign_key_constraint_on_user_id_to_api_keys": FOREIGN_KEY,
    "create_foreign_key_api_keys_user_id": FOREIGN_KEY,
    "add_fk_users_team_id": (
        "CREATE INDEX CONCURRENTLY idx_users_team_id ON users (team_id);\n"
        "ALTER TABLE users ADD CONSTRAINT users_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) NOT VALID;"
    ),
    "add_user_ref_to_chat_messages": (
        "ALTER TABLE chat_messages ADD COLUMN user_id uuid;\n"
        "CREATE INDEX CONCURRENTLY idx_chat_messages_user_id ON chat_messages (user_id);\nALTER TABLE chat_messages"
        " ADD CONSTRAINT chat_messages_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;"
    ),
    "add_reference_to_team_to_chat_messages": (
        "ALTER TABLE chat_messages ADD COLUMN team_id bigint;\n"
        "CREATE INDEX CONCURRENTLY idx_chat_messages_team_id ON chat_messages (team_id);\nALTER TABLE chat_messages"
        " ADD CONSTRAINT chat_messages_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) NOT VALID;"
    ),
    "add_category_ref_to_users": (
        "ALTER TABLE users ADD COLUMN category_id integer;\n"
        "CREATE INDEX CONCURRENTLY idx_users_category_id ON users (category_id);\nALTER TABLE users"
        ' ADD CONSTRAINT users_category_id_fkey FOREIGN KEY (category_id) REFERENCES "Categories" ("Id") NOT VALID;'
    ),
    "add_team_id_to_chat_messages": "ALTER TABLE chat_messages ADD COLUMN team_id bigint;",
    "add_nickname_to_user": USERS_COLUMN,
    "add_nickname_to_sessions": "ALTER TABLE auth.sessions ADD COLUMN nickname text;",
    "add_nickname_to_auth_sessions": "ALTER TABLE auth.sessions ADD COLUMN nickname text;",
    "add_nickname_to_categories": 'ALTER TABLE "Categories" ADD COLUMN nickname text;',
    "add_not_null_to_users_email": NOT_NULL,
    "add_not_null_users_email": NOT_NULL,
    "add_unique_email_to_users": USERS_KEY,
    "add_unique_key_hash_to_api_keys": (
        "CREATE UNIQUE INDEX CONCURRENTLY api_keys_key_hash_key ON api_keys (key_hash);\n"
        "ALTER TABLE api_keys ADD CONSTRAINT api_keys_key_hash_key UNIQUE USING INDEX api_keys_key_hash_key;"
    ),
    "index_users_email": USERS_INDEX,
    "add_users_email_index": USERS_INDEX,
    "index_auth_sessions_on_token": "CREATE INDEX CONCURRENTLY idx_sessions_token ON auth.sessions (token);",
    "rename_users_email_to_contact": "ALTER TABLE users RENAME COLUMN email TO contact;",
    "rename_order_to_purchase": None,
    "rename_order_to_purchases": 'ALTER TABLE "order" RENAME TO purchases;',
    "drop_teams": "DROP TABLE teams;",
    "drop_group_from_teams": 'ALTER TABLE teams DROP COLUMN "group";',
}
"""Names that need what the migrations create; None is an empty body."""

EMPTY_WITHOUT_A_SCHEMA = [
    "merge_duplicate_roles",
    "create_users_and_roles_table",
    "add_columns_to_users",
    "add_foreign_key_to_api_keys",
    "add_fk_posts_user_id",
    "add_user_ref_to_posts",
    "add_index_to_users",
    "add_index_on_users",
    "create_index_on_users_table",
    "index_legacy_orders",
    "drop_index_from_users",
    "drop_index_users_email",
    "drop_constraint_from_users",
    "drop_users",
    "drop_not_null_from_users_email",
    "remove_duplicates_from_users",
    "add_rbac_tables",
    "add_to_users",
    "add_unique_to_users",
    "add_unique_visitors_to_pages",
    "add_check_to_users",
    "add_check_constraint_to_orders_total",
    "add_policy_to_users",
    "add_first_and_last_name_to_users",
    "add_embedding_to_documents",
    "add_primary_key_to_users",
    "add_value_to_status_enum",
    "add_default_to_users_status",
    "rename_email_to_contact",
    "rename_users_email_to_contact",
    "create_user",
    "create_default_roles",
    "create_indexes",
    "create_foreign_keys",
    "create_active_users_view",
    "create_views",
    "enable_dark_mode",
    "enable_http",
    "change_type_of_users_email",
    "change_users_email_type",
    "add_gin_index_to_users_on_name",
    "add_partial_index_to_users_on_email",
    "add_index_to_users_on_lower_email",
    "add_email_and_to_users",
    "add_and_to_users",
    "add_user_to_teams",
    "add_soft_delete_to_users",
    "add_email_to_users_2",
    "add_email_to_users_and_teams",
    "add_Größe_to_users",
    "create_table_for_users",
    "create_temp_users",
    f"create_{'a' * 64}_table",
    f"add_{'a' * 64}_to_users",
    f"add_email_to_{'a' * 64}",
]

EMPTY_WITH_A_SCHEMA = [
    "add_email_to_users",
    "add_users_to_chat_messages",
    "add_fk_api_keys_team_id",
    "add_fk_chat_messages_user_id",
    "add_fk_api_keys_to_memberships",
    "add_fk_users_category_id",
    "add_unique_visitors_to_users",
    "add_index_to_users_on_age",
    "add_index_to_events_on_at",
    "drop_age_from_users",
    "rename_age_to_years_in_users",
    "rename_name_to_email_in_users",
    "rename_widgets_to_gadgets",
    "rename_users_to_teams",
    "create_users",
    "add_user_ref_to_api_keys",
    "add_fk_members_user_id",
    "add_unique_email_to_members",
    "add_unique_constraint_to_members_on_email",
    "add_not_null_to_members_email",
    "make_members_id_not_null",
    "add_index_to_members_on_nickname",
]


@pytest.mark.parametrize(("name", "statements"), WITHOUT_A_SCHEMA.items())
def test_a_name_is_read_as_the_change_that_it_describes(name: str, statements: str) -> None:
    assert list_statements(render_all(name)[0].up) == statements


@pytest.mark.parametrize(("name", "statements"), WITH_A_SCHEMA.items())
def test_what_the_migrations_create_decides_between_readings(tmp_path: Path, name: str, statements: str | None) -> None:
    assert list_statements(render_all(name, know(tmp_path, name))[0].up) == (statements or "")


@pytest.mark.parametrize("name", EMPTY_WITHOUT_A_SCHEMA)
def test_a_name_that_does_not_determine_a_change_gets_an_empty_body(name: str) -> None:
    (text,) = render_all(name)
    assert (list_statements(text.up), list_statements(text.down)) == ("", "")
    assert "-- NOT WRITTEN YET: " in text.up


@pytest.mark.parametrize("name", EMPTY_WITH_A_SCHEMA)
def test_a_change_that_the_known_tables_do_not_allow_gets_an_empty_body(tmp_path: Path, name: str) -> None:
    assert list_statements(render_all(name, know(tmp_path, name))[0].up) == ""


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("add_email_to_users", "users already has the column email"),
        ("drop_age_from_users", "no migration creates the column age of users"),
        ("add_fk_members_user_id", "members already has members_user_id_fkey"),
        ("make_members_email_not_null", "email of members is already NOT NULL"),
        ("add_index_to_events_on_at", "events is partitioned, so it has no CONCURRENTLY, and before PostgreSQL 18 no NOT VALID"),
    ],
)
def test_an_empty_body_explains_what_the_known_tables_contradict(tmp_path: Path, name: str, reason: str) -> None:
    assert f"-- It is empty because {reason}.\n" in render_all(name, know(tmp_path, name))[0].up


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("add_check_to_users", "CHECK (…) NOT VALID;"),
        ("add_fk_to_posts", "REFERENCES … (id) NOT VALID;"),
        ("add_policy_to_users", "CREATE POLICY … ON … FOR SELECT USING (…);"),
        ("change_type_of_users_email", "ALTER COLUMN … TYPE … USING …::…;"),
        ("drop_fk_from_posts", "ALTER TABLE … DROP CONSTRAINT …;"),
        ("make_users_email_nullable", "DROP NOT NULL;"),
        ("drop_index_users_email", "DROP INDEX CONCURRENTLY …;"),
        ("backfill_user_names", "-- migrate: no-transaction"),
    ],
)
def test_an_empty_body_shows_what_such_a_migration_contains(name: str, example: str) -> None:
    assert example in render_all(name)[0].up


@pytest.mark.parametrize(
    "name", ["create_users", "create_users_table", "create_table_users", "add_users_table", "new_users_table"]
)
def test_a_table_is_created_with_or_without_the_word_table(name: str) -> None:
    (text,) = render_all(name)
    assert list_statements(text.up) == (
        "CREATE TABLE users ( id uuid PRIMARY KEY DEFAULT gen_random_uuid(), -- Add the columns of the table here."
        " created_at timestamp DEFAULT CURRENT_TIMESTAMP, updated_at timestamp DEFAULT CURRENT_TIMESTAMP );"
    )
    assert list_statements(text.down) == "DROP TABLE users;"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("is_admin", "boolean DEFAULT false"),
        ("team_id", "uuid"),
        ("expires_at", "timestamp"),
        ("start_date", "date"),
        ("login_count", "integer DEFAULT 0"),
        ("unit_price", "numeric"),
        ("settings", "jsonb DEFAULT '{}'::jsonb"),
        ("user_metadata", "jsonb DEFAULT '{}'::jsonb"),
        ("nickname", "text"),
    ],
)
def test_the_type_of_an_added_column_is_guessed_from_its_name(column: str, kind: str) -> None:
    assert list_statements(render_all(f"add_{column}_to_users")[0].up) == f"ALTER TABLE users ADD COLUMN {column} {kind};"


def test_the_number_of_readings_of_a_long_name_is_limited() -> None:
    name = "add_index_" + "to_on_" * 37
    assert list_statements(render_all(name)[0].up) == ""


@pytest.mark.parametrize(
    ("up", "trigger"),
    [
        ("SELECT 1;", ""),
        ("-- CREATE FUNCTION update_updated_at_column() RETURNS trigger\nCREATE FUNCTION f() RETURNS int RETURN 1;", ""),
        ("DO $$ BEGIN EXECUTE 'CREATE FUNCTION update_updated_at_column() RETURNS trigger …'; END $$;", ""),
        ("CREATE FUNCTION update_updated_at_column(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';", ""),
        ("{}", "update_updated_at_column"),
        ("{} DROP FUNCTION update_updated_at_column();", ""),
        ("{} ALTER FUNCTION update_updated_at_column() RENAME TO g;", ""),
        ("{} DROP FUNCTION update_updated_at_column(); {}", "update_updated_at_column"),
        ("SET search_path = auth; {}", "auth.update_updated_at_column"),
        ("\\set x 1\n{}", ""),
    ],
)
def test_a_trigger_calls_a_function_only_if_a_migration_creates_it(tmp_path: Path, up: str, trigger: str) -> None:
    create = "CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;"
    known = know(tmp_path, "create_things", up.replace("{}", create))
    for name in ("create_things", "add_timestamps_to_things"):
        statements = list_statements(render_all(name, known)[0].up)
        assert ("TRIGGER" in statements) == bool(trigger)
        assert f"EXECUTE FUNCTION {trigger}();" in statements or not trigger


@pytest.mark.parametrize(
    ("later", "name", "statements"),
    [
        ("ALTER TABLE members DROP CONSTRAINT members_user_id_fkey;", "add_fk_members_user_id", "members_user_id_fkey"),
        ("ALTER TABLE members DROP CONSTRAINT members_email_key;", "add_unique_email_to_members", "members_email_key"),
        ("ALTER TABLE members ALTER COLUMN email DROP NOT NULL;", "make_members_email_not_null", "members_email_is_not_null"),
        ("DROP INDEX idx_members_nickname;", "add_index_to_members_on_nickname", "idx_members_nickname"),
        ("ALTER TABLE members DROP COLUMN nickname;", "add_nickname_to_members", "ADD COLUMN nickname text"),
        ("ALTER TABLE members RENAME COLUMN nickname TO name;", "add_nickname_to_members", "ADD COLUMN nickname text"),
        ("ALTER TABLE members RENAME TO persons;", "add_age_to_persons", "ALTER TABLE persons ADD COLUMN age"),
        ("ALTER TABLE members SET SCHEMA auth;", "add_age_to_members", "ALTER TABLE auth.members ADD COLUMN age"),
        ("ALTER TABLE teams ALTER COLUMN id TYPE integer;", "add_team_id_to_api_keys", "ADD COLUMN team_id integer"),
        ("ALTER TABLE memberships ADD COLUMN age int;", "add_age_to_memberships", ""),
        ("DROP TABLE members; CREATE TABLE members ();", "add_unique_email_to_members", ""),
        ("DO $$ BEGIN CREATE TABLE pets (); END $$;", "index_pets_name", ""),
        ("CREATE TABLE pets (LIKE users);", "add_unique_name_to_pets", ""),
        ("CREATE TEMPORARY TABLE pets (name text);", "add_unique_name_to_pets", ""),
        ("SET search_path = zoo; CREATE TABLE pets (name text);", "add_unique_name_to_pets", "ON zoo.pets (name)"),
    ],
)
def test_later_migrations_change_what_is_known(tmp_path: Path, later: str, name: str, statements: str) -> None:
    written = list_statements(render_all(name, know(tmp_path, name, UP + later))[0].up)
    assert statements in written
    assert bool(written) == bool(statements)


def test_an_extension_that_an_older_migration_creates_is_kept_by_a_rollback(tmp_path: Path) -> None:
    (text,) = render_all(
        "enable_pgvector", know(tmp_path, "enable_pgvector", "DO $$ BEGIN CREATE EXTENSION vector; END $$; -- pgvector")
    )
    assert (list_statements(text.up), list_statements(text.down)) == (VECTOR, "")


def test_only_files_about_the_words_of_a_name_are_parsed(tmp_path: Path) -> None:
    known = know(tmp_path, "add_nickname_to_widgets", "CREATE TABLE users (); -- add it")
    assert (known.tables, known.has_tables) == ((), True)


def test_files_that_cannot_be_read_or_parsed_are_left_out(tmp_path: Path) -> None:
    for number, text in enumerate((b"CREATE TABLE users (\xff);", b"CREATE TABLE users (", b"CREATE TABLE users (a text);")):
        path = tmp_path / "up" / f"2025010200000{number}_users.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    assert list_statements(render_all("add_a_to_users", know(tmp_path, "add_a_to_users", "SELECT 1;"))[0].up) == ""


def test_composed_names_that_are_cut_stay_different() -> None:
    table = "a" * 60
    names = [list_statements(render_all(f"index_{table}_on_{column}")[0].up).split()[3] for column in ("email", "name")]
    assert len({*names}) == 2
    assert [len(name) for name in names] == [63, 63]
