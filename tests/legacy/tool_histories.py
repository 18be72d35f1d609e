"""Small histories as other tools have them: their files, what the tool sends to the server, and its record of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.adopt.test_foreign_ledgers import TABLES

USERS = "CREATE TABLE users (id int PRIMARY KEY, email text);"
FUNCTION = "CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 42; -- not the end\nEND\n$$"
INDEX = "CREATE INDEX CONCURRENTLY users_email ON users (email);"
DROP_INDEX = "DROP INDEX CONCURRENTLY users_email;"
UP = (USERS, FUNCTION, INDEX)
DOWN = (DROP_INDEX, "DROP FUNCTION answer()", "DROP TABLE users")
"""What each tool sends for all files: up, and down in the order in which it undoes them."""


@dataclass(frozen=True)
class ToolHistory:
    """The files of a history by path, and the SQL that creates the tool's record of them, empty if adopt does not know it."""

    files: Mapping[str, str]
    record: str = ""
    up: tuple[str, ...] = UP
    down: tuple[str, ...] = DOWN


def _record(tool: str, rows: str) -> str:
    return f"{TABLES[tool]}; {rows}"


def _write(form: str, names: tuple[str, str, str], flagged: str = "") -> dict[str, str]:
    """Return the three files in a form of up and down; the last has no transaction and gets the flagged form."""
    texts = ((USERS, "DROP TABLE users;"), (f"{FUNCTION};", "DROP FUNCTION answer();"), (INDEX, DROP_INDEX))
    forms = (form, form, flagged or form)
    return {name: each.format(up=up, down=down) for name, each, (up, down) in zip(names, forms, texts, strict=True)}


_NAMES = ("20240101120000_users.sql", "20240102120000_answer.sql", "20240103120000_index.sql")
_NUMBERS = ("001_users.sql", "002_answer.sql", "003_index.sql")
FORMS = {
    "dbmate": "-- migrate:up\n{up}\n\n-- migrate:down\n{down}\n",
    "goose": "-- +goose Up\n-- +goose StatementBegin\n{up}\n-- +goose StatementEnd\n\n-- +goose Down\n{down}\n",
    "sql-migrate": "-- a note\n-- +migrate Up\n-- +migrate StatementBegin\n{up}\n-- +migrate StatementEnd\n\n"
    "-- +migrate Down\n{down}\n",
    "micrate": "-- +micrate Up\n-- +micrate StatementBegin\n{up}\n-- +micrate StatementEnd\n\n-- +micrate Down\n{down}\n",
    "rambler": "-- rambler up\n{up}\n-- rambler down\n{down}\n",
    "tern": "{up}\n---- create above / drop below ----\n{down}\n",
    "MyBatis Migrations": "-- // note\n-- Migration SQL\n\n{up}\n\n-- //@UNDO\n{down}\n",
    "DbDeploy": "{up}\n\n--//@UNDO\n\n{down}\n",
    "Liquibase": "--liquibase formatted sql\n\n--changeset ann:1 splitStatements:false\n{up}\n--rollback {down}\n",
    "Play evolutions": "# User's schema\n\n# --- !Ups\n\n{up}\n\n# --- !Downs\n\n{down}\n",
    "shmig": "-- Migration: x\n-- ====  UP  ====\n\n{up}\n\n-- ==== DOWN ====\n\n{down}\n",
    "node-pg-migrate": "-- Up Migration\n{up}\n\n-- Down Migration\n{down}\n",
    "comments": "-- Up\n{up}\n-- Down\n{down}\n",
    "other comments": "-- Apply\n{up}\n-- Rollback:\n{down}\n",
}
"""A file of each tool that has both directions in one file."""

RECORDS = (
    "goose_db_version", "gorp_migrations", "pgmigrations", "schema_version", "_prisma_migrations", "__diesel_schema_migrations",
    "flyway_schema_history",
)  # fmt: skip
"""The tables in which tools keep their records, if they do not have the name of our ledger."""

HISTORIES = {
    "dbmate": ToolHistory(
        _write(
            FORMS["dbmate"],
            _NAMES,
            "-- migrate:up transaction:false\n{up}\n\n-- migrate:down transaction:false\n{down}\n",
        ),
        _record(
            "dbmate or Rails", "INSERT INTO schema_migrations VALUES ('20240101120000'), ('20240102120000'), ('20240103120000')"
        ),
    ),
    "goose": ToolHistory(
        _write(FORMS["goose"], _NUMBERS, f"-- +goose NO TRANSACTION\n{FORMS['goose']}"),
        _record("goose", "INSERT INTO goose_db_version (version_id, is_applied) SELECT n, true FROM generate_series(0, 3) n"),
    ),
    "sql-migrate": ToolHistory(
        _write(FORMS["sql-migrate"], _NAMES, "-- +migrate Up notransaction\n{up}\n-- +migrate Down notransaction\n{down}\n"),
        _record("sql-migrate", f"INSERT INTO gorp_migrations VALUES {', '.join(f'({name!r}, now())' for name in _NAMES)}"),
    ),
    "node-pg-migrate": ToolHistory(
        _write(FORMS["node-pg-migrate"], ("1704110400000_users.sql", *_NAMES[1:])),
        _record(
            "node-pg-migrate",
            "INSERT INTO pgmigrations (name, run_on) VALUES ('1704110400000_users', now()), "
            f"({_NAMES[1][:-4]!r}, now()), ({_NAMES[2][:-4]!r}, now())",
        ),
    ),
    "tern": ToolHistory(
        _write(
            FORMS["tern"],
            _NUMBERS,
            "---- tern: disable-tx ----\n{up}\n---- create above / drop below ----\n---- tern: disable-tx ----\n{down}\n",
        ),
        _record("tern", "INSERT INTO schema_version VALUES (3)"),
    ),
    "Liquibase": ToolHistory(
        _write(FORMS["Liquibase"], _NUMBERS, FORMS["Liquibase"].replace("splitStatements", "runInTransaction"))
    ),
    "MyBatis Migrations": ToolHistory(_write(FORMS["MyBatis Migrations"], _NAMES)),
    "DbDeploy": ToolHistory(_write(FORMS["DbDeploy"], _NUMBERS)),
    "Play evolutions": ToolHistory(
        _write(FORMS["Play evolutions"], ("1.sql", "2.sql", "3.sql"))
        | {"2.sql": f"-- !Ups\n{FUNCTION.replace(';', ';;')};\n-- !Downs\nDROP FUNCTION answer();\n"}
    ),
    "micrate": ToolHistory(_write(FORMS["micrate"], _NAMES)),
    "rambler": ToolHistory(_write(FORMS["rambler"], _NUMBERS)),
    "shmig": ToolHistory(_write(FORMS["shmig"], ("1704110400-users.sql", "1704110401-answer.sql", "1704110402-index.sql"))),
    "comments": ToolHistory(_write(FORMS["comments"], _NUMBERS)),
    "Prisma": ToolHistory(
        {
            "migration_lock.toml": 'provider = "postgresql"\n',
            "20240101120000_users/migration.sql": USERS,
            "20240101120000_users/down.sql": "DROP TABLE users;",
            "20240102120000_answer/migration.sql": f"{FUNCTION};",
            "20240102120000_answer/down.sql": "DROP FUNCTION answer();",
            "20240103120000_index/migration.sql": INDEX,
            "20240103120000_index/down.sql": DROP_INDEX,
        },
        _record(
            "Prisma",
            "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) "
            f"VALUES {', '.join(f'({name!r}, {name!r}, now(), {name[:-4]!r})' for name in _NAMES)}",
        ),
    ),
    "diesel": ToolHistory(
        {
            "2024-01-01-120000_users/up.sql": USERS,
            "2024-01-01-120000_users/down.sql": "DROP TABLE users;",
            "2024-01-02-120000_answer/up.sql": f"{FUNCTION};",
            "2024-01-02-120000_answer/down.sql": "DROP FUNCTION answer();",
            "2024-01-03-120000_index/up.sql": INDEX,
            "2024-01-03-120000_index/down.sql": DROP_INDEX,
            "2024-01-03-120000_index/metadata.toml": "run_in_transaction = false\n",
        },
        _record(
            "diesel",
            "INSERT INTO __diesel_schema_migrations VALUES ('20240101120000'), ('20240102120000'), ('20240103120000')",
        ),
    ),
    "Flyway": ToolHistory(
        {
            "V1__users.sql": USERS,
            "U1__drop_users.sql": "DROP TABLE users;",
            "V1_1__answer.sql": f"{FUNCTION};",
            "U1_1__answer.sql": "DROP FUNCTION answer();",
            "V20240103__index.sql": INDEX,
            "U20240103__index.sql": DROP_INDEX,
        },
        _record(
            "Flyway",
            "INSERT INTO flyway_schema_history VALUES"
            " (1, '1', 'users', 'SQL', 'V1__users.sql', 1, 'me', now(), 1, true),"
            " (2, '1.1', 'answer', 'SQL', 'V1_1__answer.sql', 2, 'me', now(), 1, true),"
            " (3, '20240103', 'index', 'SQL', 'V20240103__index.sql', 3, 'me', now(), 1, true)",
        ),
    ),
    "golang-migrate": ToolHistory(
        {
            "000001_users.up.sql": USERS,
            "000001_users.down.sql": "DROP TABLE users;",
            "000002_answer.up.sql": f"{FUNCTION};",
            "000002_answer.down.sql": "DROP FUNCTION answer();",
            "000003_index.up.sql": INDEX,
            "000003_index.down.sql": DROP_INDEX,
        },
        _record("golang-migrate", "INSERT INTO schema_migrations VALUES (3, false)"),
    ),
}
