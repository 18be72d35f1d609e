"""The tables of other migration tools: those whose records can be taken over, and further ones; each with its source."""

from __future__ import annotations

from typing import NamedTuple


class OtherTool(NamedTuple):
    """The table of a tool; `version`, `label` and the fields after them are SQL expressions over its columns."""

    name: str
    table: str
    columns: tuple[str, ...]
    """The columns by which the table is recognised; it may have more, unless `exact`."""
    version: str
    """The identity of a migration: a number, a timestamp or the name of a file."""
    source: str
    exact: bool = False
    label: str = "NULL"
    """The name of the migration's file or folder, or what the table has that is closest to it."""
    applied_at: str = "NULL"
    """A timestamp in UTC, without time zone."""
    checksum: str = "NULL"
    ok: str = "true"
    """Whether the migration is applied: not failed, not rolled back."""
    baseline: str = "false"
    """Whether a row means that all versions up to its own count as applied."""
    rows: str = "true"
    """Which rows record a migration."""
    order: str = "1"
    cumulative: bool = False
    """Whether the table records only the newest version, which includes all before it."""
    ordered: bool = True
    """Whether versions have an order; hashes do not."""


_FLYWAY_UNDONE = """EXISTS (
    SELECT FROM {table} AS later
     WHERE later.version = row.version AND later.installed_rank > row.installed_rank
       AND (later.type = 'DELETE' OR later.type LIKE 'UNDO%'))"""

_GOOSE_LATER = "EXISTS (SELECT FROM {table} AS later WHERE later.version_id = row.version_id AND later.id > row.id)"

ALEMBIC = OtherTool(
    name="Alembic",
    table="alembic_version",
    columns=("version_num",),
    version="version_num",
    cumulative=True,
    ordered=False,
    source="https://alembic.sqlalchemy.org/en/latest/branches.html",
)
"""In env.py, the table may have another name, and another schema."""

OTHER_TOOLS = (
    OtherTool(
        name="the old shell script",
        table="schema_migrations",
        columns=("id", "migration_name", "applied_at", "checksum", "execution_time_ms"),
        version="migration_name",
        label="migration_name",
        applied_at="applied_at",
        checksum="checksum",
        order="id",
        source="the Gaia Platform's own databases",
    ),
    OtherTool(
        name="golang-migrate",
        table="schema_migrations",
        columns=("version", "dirty"),
        exact=True,
        version="version::text",
        ok="NOT dirty",
        cumulative=True,
        source="https://github.com/golang-migrate/migrate/blob/master/database/postgres/postgres.go (ensureVersionTable)",
    ),
    OtherTool(
        name="dbmate or Rails",
        table="schema_migrations",
        columns=("version",),
        exact=True,
        version="version::text",
        order="version",
        source="https://github.com/amacneil/dbmate/blob/main/pkg/driver/postgres/postgres.go (CreateMigrationsTable), "
        "https://github.com/rails/rails/blob/main/activerecord/lib/active_record/schema_migration.rb",
    ),
    OtherTool(
        name="Flyway",
        table="flyway_schema_history",
        columns=("installed_rank", "version", "description", "type", "script", "installed_on", "success"),
        version="coalesce(version, script)",
        label="script",
        applied_at="installed_on",
        checksum="checksum::text",
        ok=f"success AND NOT {_FLYWAY_UNDONE}",
        # BASELINE of the command, SQL_BASELINE of a script B2__x.sql.
        baseline="success AND type LIKE '%BASELINE'",
        rows="type NOT LIKE 'UNDO%' AND type NOT IN ('DELETE', 'SCHEMA')",
        order="installed_rank",
        source="https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html",
    ),
    ALEMBIC,
    OtherTool(
        name="yoyo",
        table="_yoyo_migration",
        columns=("migration_hash", "migration_id", "applied_at_utc"),
        version="migration_id",
        label="migration_id",
        applied_at="applied_at_utc",
        order="applied_at_utc, migration_id",
        source="https://ollycope.com/software/yoyo/latest/",
    ),
    OtherTool(
        name="sqlx",
        table="_sqlx_migrations",
        columns=("version", "description", "installed_on", "success", "checksum"),
        version="version::text",
        label="version || '_' || replace(description, ' ', '_')",
        applied_at="installed_on AT TIME ZONE 'UTC'",
        checksum="encode(checksum, 'hex')",
        ok="success",
        order="version",
        source="https://github.com/launchbadge/sqlx/blob/main/sqlx-postgres/src/migrate.rs (ensure_migrations_table)",
    ),
    OtherTool(
        name="Prisma",
        table="_prisma_migrations",
        columns=("id", "checksum", "finished_at", "migration_name", "rolled_back_at"),
        version="migration_name",
        label="migration_name",
        applied_at="finished_at AT TIME ZONE 'UTC'",
        checksum="checksum",
        ok="finished_at IS NOT NULL AND rolled_back_at IS NULL",
        order="finished_at, migration_name",
        source="https://github.com/prisma/prisma-engines/blob/main/schema-engine/ARCHITECTURE.md#the-_prisma_migrations-table",
    ),
    OtherTool(
        name="diesel",
        table="__diesel_schema_migrations",
        columns=("version", "run_on"),
        version="version",
        applied_at="run_on",
        order="version",
        source="https://docs.rs/diesel_migrations/latest/diesel_migrations/",
    ),
    OtherTool(
        name="node-pg-migrate",
        table="pgmigrations",
        columns=("id", "name", "run_on"),
        version="name",
        label="name",
        applied_at="run_on",
        order="id",
        source="https://github.com/salsita/node-pg-migrate/blob/main/src/runner.ts (nameColumn, runOnColumn)",
    ),
    OtherTool(
        name="goose",
        table="goose_db_version",
        columns=("id", "version_id", "is_applied", "tstamp"),
        version="version_id::text",
        applied_at="tstamp",
        ok="is_applied",
        # Version 0 is the empty database; an older row of a version is outdated.
        rows=f"version_id > 0 AND NOT {_GOOSE_LATER}",
        order="id",
        source="https://github.com/pressly/goose/blob/main/internal/dialects/postgres.go (CreateTable)",
    ),
    OtherTool(
        name="sql-migrate",
        table="gorp_migrations",
        columns=("id", "applied_at"),
        version="id",
        label="id",
        applied_at="applied_at AT TIME ZONE 'UTC'",
        order="applied_at, id",
        source="https://github.com/rubenv/sql-migrate/blob/master/migrate.go (MigrationRecord)",
    ),
    OtherTool(
        name="tern",
        table="schema_version",
        columns=("version",),
        exact=True,
        version="version::text",
        rows="version > 0",
        cumulative=True,
        source="https://github.com/jackc/tern/blob/master/migrate/migrate.go (ensureSchemaVersionTableExists)",
    ),
)
"""The more specific first: the first tool whose columns exist is used."""


class ToolTable(NamedTuple):
    """A further table of a tool, or one whose records are not read; it has these columns, and no more if `exact`."""

    table: str
    columns: tuple[str, ...]
    source: str
    exact: bool = False


TOOL_TABLES = (
    ToolTable("_yoyo_log", ("id", "migration_hash", "operation", "created_at_utc"), "https://ollycope.com/software/yoyo/latest/"),
    ToolTable("_yoyo_version", ("version", "installed_at_utc"), "https://ollycope.com/software/yoyo/latest/", exact=True),
    ToolTable("yoyo_lock", ("locked", "ctime", "pid"), "https://ollycope.com/software/yoyo/latest/", exact=True),
    ToolTable(
        "ar_internal_metadata",
        ("key", "value", "created_at", "updated_at"),
        "https://github.com/rails/rails/blob/main/activerecord/lib/active_record/internal_metadata.rb",
        exact=True,
    ),
    ToolTable("django_migrations", ("id", "app", "name", "applied"),
              "https://github.com/django/django/blob/main/django/db/migrations/recorder.py"),
    ToolTable("knex_migrations", ("id", "name", "batch", "migration_time"),
              "https://github.com/knex/knex/blob/master/lib/migrations/migrate/table-creator.js"),
    ToolTable("knex_migrations_lock", ("index", "is_locked"),
              "https://github.com/knex/knex/blob/master/lib/migrations/migrate/table-creator.js", exact=True),
    ToolTable("SequelizeMeta", ("name",), "https://github.com/sequelize/umzug/blob/main/src/storage/sequelize.ts", exact=True),
    ToolTable("databasechangelog", ("id", "author", "filename", "dateexecuted", "orderexecuted", "exectype", "md5sum"),
              "https://docs.liquibase.com/concepts/tracking-tables/databasechangelog-table.html"),
    ToolTable("databasechangeloglock", ("id", "locked", "lockgranted", "lockedby"),
              "https://docs.liquibase.com/concepts/tracking-tables/databasechangeloglock-table.html"),
    ToolTable("__EFMigrationsHistory", ("MigrationId", "ProductVersion"),
              "https://learn.microsoft.com/ef/core/managing-schemas/migrations/history-table", exact=True),
    ToolTable("__drizzle_migrations", ("id", "hash", "created_at"),
              "https://github.com/drizzle-team/drizzle-orm/blob/main/drizzle-orm/src/pg-core/dialect.ts"),
    ToolTable("kysely_migration", ("name", "timestamp"),
              "https://github.com/kysely-org/kysely/blob/master/src/migration/migrator.ts", exact=True),
    ToolTable("kysely_migration_lock", ("id", "is_locked"),
              "https://github.com/kysely-org/kysely/blob/master/src/migration/migrator.ts", exact=True),
    ToolTable("mikro_orm_migrations", ("id", "name", "executed_at"), "https://mikro-orm.io/docs/migrations", exact=True),
    ToolTable("migrations", ("id", "timestamp", "name"),
              "https://github.com/typeorm/typeorm/blob/master/src/migration/MigrationExecutor.ts", exact=True),
    ToolTable("migrations", ("id", "migration", "batch"),
              "https://github.com/laravel/framework/blob/master/src/Illuminate/Database/Migrations/DatabaseMigrationRepository.php",
              exact=True),
    ToolTable("doctrine_migration_versions", ("version", "executed_at", "execution_time"),
              "https://github.com/doctrine/migrations/blob/HEAD/docs/en/reference/configuration.rst"),
    ToolTable("phinxlog", ("version", "migration_name", "start_time", "end_time"),
              "https://github.com/cakephp/phinx/blob/0.x/src/Phinx/Db/Adapter/AbstractAdapter.php"),
    ToolTable("atlas_schema_revisions", ("version", "description", "type", "applied", "total", "executed_at"),
              "https://atlasgo.io/concepts/migration-directory-integrity"),
)  # fmt: skip
"""What these tables contain is never read."""


def recognise(table: str, columns: frozenset[str]) -> OtherTool | None:
    """Return the tool that creates a table of this name with these columns, and whose records can be taken over."""
    return next((tool for tool in OTHER_TOOLS if tool.table == table and _fits(tool, columns)), None)


def is_tool_table(table: str, columns: frozenset[str]) -> bool:
    """Return True if a migration tool creates a table of this name with these columns."""
    return recognise(table, columns) is not None or any(each.table == table and _fits(each, columns) for each in TOOL_TABLES)


def _fits(table: OtherTool | ToolTable, columns: frozenset[str]) -> bool:
    wanted = frozenset(table.columns)
    return columns == wanted if table.exact else columns >= wanted
