"""What Alembic's autogenerate makes of a change of models, tried on a database with rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy
from alembic import autogenerate
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from sqlalchemy.dialects import postgresql

from tasks.catalog import COLUMN_ORDER, Catalog, compare, read_catalog
from tasks.rehearsal.rows import fill_tables
from tests.kit.databases import Database
from tests.models.zoo.case import Build, ZooCase, make_metadata

DEFAULTS: Mapping[str, bool] = {}
"""The options of Alembic as `alembic init` leaves them: types are compared, server defaults and other schemas are not."""
EVERYTHING: Mapping[str, bool] = {"compare_server_default": True, "include_schemas": True}
"""Every option that compares more."""

_EMPTY = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT quote_ident(nspname) FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        LOOP EXECUTE 'DROP SCHEMA ' || name || ' CASCADE'; END LOOP;
    END $$;
    CREATE SCHEMA public;
"""


@dataclass(frozen=True)
class AutogenerateAttempt:
    """What became of a change: whether it was seen, why a direction failed, and whether the schemas are those of the models."""

    seen: bool
    up_error: str = ""
    up_exact: bool = False
    kept: bool = True
    """False if the values of what was renamed are gone."""
    down_error: str = ""
    down_exact: bool = False


def try_autogenerate(database: Database, case: ZooCase, options: Mapping[str, bool]) -> AutogenerateAttempt:
    """Create the models before a change, fill the tables, and run the up and the down that Alembic writes for it."""
    after = _read_made(database, case.setup, case.after)
    before = _read_made(database, case.setup, case.before)
    if case.kept:
        with database.connect() as connection:
            fill_tables(connection)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            up, down = _write(database, case, options)
        except sqlalchemy.exc.SQLAlchemyError as error:
            return AutogenerateAttempt(seen=False, up_error=_describe(error))
        if not up:
            return AutogenerateAttempt(seen=False)
        up_error = _run(database, up, options)
        if up_error:
            return AutogenerateAttempt(seen=True, up_error=up_error)
        up_exact = _is_same(database, after)
        kept = not case.kept or bool(database.query(case.kept)[0][0])
        down_error = _run(database, down, options)
    return AutogenerateAttempt(True, "", up_exact, kept, down_error, not down_error and _is_same(database, before))


def _read_made(database: Database, setup: str, build: Build) -> Catalog:
    """Return the schema of models that are alone in a database."""
    database.execute(_EMPTY)
    database.execute(f"{setup};")
    with _connect(database) as connection:
        for metadata in make_metadata([build]):
            for name in {table.schema for table in metadata.tables.values() if table.schema}:
                connection.execute(sqlalchemy.text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
            metadata.create_all(connection)
    return database.ask(read_catalog)


def _is_same(database: Database, expected: Catalog) -> bool:
    changes = compare(expected, database.ask(read_catalog)).changes
    return all(change.key.kind == COLUMN_ORDER for change in changes)


def _write(database: Database, case: ZooCase, options: Mapping[str, bool]) -> tuple[str, str]:
    """Return the bodies of the functions of a revision, which are empty texts if nothing was seen."""
    with _connect(database) as connection:
        context = MigrationContext.configure(connection, opts=dict(options))
        script = autogenerate.produce_migrations(context, make_metadata([case.after])[0])
        assert script.upgrade_ops is not None
        assert script.downgrade_ops is not None
        if script.upgrade_ops.is_empty():
            return "", ""
        return _render(script.upgrade_ops, context), _render(script.downgrade_ops, context)


def _render(operations: ops.UpgradeOps | ops.DowngradeOps, context: MigrationContext) -> str:
    imports: set[str] = set()
    code = autogenerate.render_python_code(operations, migration_context=context, imports=imports)  # type: ignore[arg-type]
    return "\n".join([*sorted(imports), code])


def _run(database: Database, code: str, options: Mapping[str, bool]) -> str:
    """Run the body of a function of a revision in a transaction; return the error, or an empty text."""
    names: dict[str, Any] = {"sa": sqlalchemy, "postgresql": postgresql}
    lines = "\n".join(line.removeprefix("    ") for line in code.splitlines())
    try:
        with _connect(database) as connection:
            context = MigrationContext.configure(connection, opts=dict(options))
            with Operations.context(context) as op:
                exec(compile(lines, "revision", "exec"), {**names, "op": op})
    except Exception as error:
        return _describe(error)
    return ""


def _describe(error: Exception) -> str:
    return str(getattr(error, "orig", error)).splitlines()[0]


@contextmanager
def _connect(database: Database) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database.url), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        yield connection
