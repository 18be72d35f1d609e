"""A checkout whose migrations create the tables that the names in these tests are about."""

from datetime import UTC, datetime
from pathlib import Path

from tasks.runner.files.new import MigrationText
from tasks.templates.bodies import UPDATE_FUNCTION
from tasks.templates.known_schema import KnownSchema
from tasks.templates.render import draft
from tasks.templates.schema_reader import read_known_schema

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNKNOWN = KnownSchema()
"""What is known of a checkout without migrations."""
BASE = "20250101000000_create_tables"

UP = """
CREATE FUNCTION update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = CURRENT_TIMESTAMP + interval '1 day';
    RETURN NEW;
END $$;
CREATE SCHEMA auth;
CREATE TABLE users (id uuid PRIMARY KEY, email text, name text, team_id bigint);
CREATE TABLE api_keys (id uuid PRIMARY KEY, key_hash text, user_id uuid);
CREATE TABLE conversations (id uuid PRIMARY KEY, preview text, users integer);
CREATE TABLE chat_messages (id uuid PRIMARY KEY, model text, "order" integer);
CREATE TABLE teams (id bigserial, "group" text, PRIMARY KEY (id));
CREATE TABLE auth.sessions (id serial PRIMARY KEY, token text);
CREATE TABLE "Categories" ("Id" integer PRIMARY KEY);
CREATE TABLE "order" (id uuid PRIMARY KEY, "User" text, total numeric);
CREATE TABLE memberships (team_id bigint, user_id uuid, PRIMARY KEY (team_id, user_id));
CREATE TABLE members (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    user_id uuid REFERENCES users,
    nickname text
);
CREATE INDEX idx_members_nickname ON members (nickname);
CREATE TABLE events (id bigint, at timestamp) PARTITION BY RANGE (at);
"""
DOWN = """
DROP TABLE members, users, api_keys, conversations, chat_messages, teams, auth.sessions, "Categories", "order", memberships;
DROP TABLE events;
DROP SCHEMA auth;
DROP FUNCTION update_updated_at_column;
"""


def write_base(migrations: Path, up: str = UP, down: str = DOWN) -> None:
    """Write the migration that creates the tables."""
    for folder, text in (("up", up), ("down", down)):
        (migrations / folder).mkdir(parents=True, exist_ok=True)
        (migrations / folder / f"{BASE}.sql").write_text(text)


def render_all(name: str, known: KnownSchema = UNKNOWN) -> list[MigrationText]:
    """Return the texts of the migrations that a name makes."""
    drafts = draft(name, known)
    return [each.compose(f"2026010100000{number}_{each.description}") for number, each in enumerate(drafts)]


def know(folder: Path, description: str, up: str = UP) -> KnownSchema:
    """Return what is known of a checkout with an up file, for a description."""
    write_base(folder, up)
    return read_known_schema(folder, description, UPDATE_FUNCTION)


def list_statements(text: str) -> str:
    """Return the statements of a text on one line each, without comments."""
    lines = [line.strip() for line in text.splitlines() if line and not line.startswith("--")]
    return " ".join(lines).replace("; ", ";\n")
