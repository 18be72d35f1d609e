"""What `child.py` changes in Alembic, so that what it writes offline is complete; loaded by path, as that is."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def record_statements(session: Any) -> None:
    """Change Alembic so that what it writes offline is recorded, complete, and without the version table.

    Alembic replaces tabs by spaces also in literals, and leaves out the parameters of a statement that a revision runs on its
    connection. Both would alter rows.
    """
    from sqlalchemy import text
    from sqlalchemy.types import NullType

    impl: Any = import_module("alembic.ddl.impl").DefaultImpl
    migration: Any = import_module("alembic.runtime.migration")
    environment: Any = import_module("alembic.runtime.environment").EnvironmentContext
    untyped: Any = NullType

    output, execute, configure = impl.static_output, impl._exec, environment.configure

    def record(self: Any, written: str) -> None:
        session.recorder.add(written)
        output(self, written)

    def run(self: Any, construct: Any, *arguments: Any, **named: Any) -> Any:
        if self.as_sql:
            refuse_unbound(construct)
        session.executed.asks = False
        try:
            result = execute(self, construct, *arguments, **named)
        finally:
            session.executed.asks = True
        written = session.recorder.statements.get(session.recorder.current)
        if self.as_sql and written and "    " in written[-1][0]:
            known: Any = text(construct) if isinstance(construct, str) else construct
            literal = {"compile_kwargs": {"literal_binds": True}} if is_statement(known) else {}
            written[-1][1] = str(known.compile(dialect=self.dialect, **literal)).strip() + self.command_terminator
        return result

    def set_up(self: Any, *arguments: Any, **named: Any) -> None:
        if session.by_offline_part:
            session.connection = named["connection"] = connect(self)
            for name in ("url", "literal_binds", "dialect_opts", "dialect_name", "output_buffer"):
                named.pop(name, None)
            self.context_opts["as_sql"] = False
        elif self.is_offline_mode():
            # Otherwise values are rendered as :name or %(name)s, and % as %%.
            named["literal_binds"] = True
            named["dialect_opts"] = {"paramstyle": "named", **(named.get("dialect_opts") or {})}
        configure(self, *arguments, **named)

    impl.static_output = record
    impl._exec = run
    environment.configure = set_up
    migration.MigrationContext._stdout_connection = mock_connection
    if not session.online:
        migration.HeadMaintainer = NoVersionTable
        untyped.literal_processor = render_untyped


def refuse_unbound(construct: Any) -> None:
    """Raise the error of SQLAlchemy for a parameter without a value, as `:x` in a string: offline it would become NULL."""
    from sqlalchemy import TextClause, exc, text

    known = text(construct) if isinstance(construct, str) else construct
    for name, parameter in known._bindparams.items() if isinstance(known, TextClause) else ():
        if parameter.required:
            raise exc.InvalidRequestError(f"A value is required for bind parameter {name!r}")


def render_untyped(self: Any, dialect: Any) -> Callable[[Any], str]:
    """Return what renders the value of a column without a type: as the type that the value has."""
    from sqlalchemy.types import NullType

    def render_value(value: Any) -> str:
        from sqlalchemy.sql.sqltypes import _resolve_value_to_type

        kind = _resolve_value_to_type(value).dialect_impl(dialect)
        processor = None if isinstance(kind, NullType) else kind.literal_processor(dialect)
        if processor is None:
            raise TypeError(f"no literal of SQL is known for a value of {type(value).__name__}")
        return str(processor(value))

    return render_value


def is_statement(construct: Any) -> bool:
    """Return True for a statement that is no DDL, as Alembic decides whether values are rendered."""
    from sqlalchemy import schema

    return not isinstance(construct, schema.DDLElement)


def connect(environment: Any) -> Any:
    """Return a connection with which the part of env.py for offline mode runs the revisions on the scratch database."""
    from sqlalchemy import create_engine, pool

    address = environment.config.get_main_option("sqlalchemy.url").partition("://")[2]
    return create_engine(f"postgresql+psycopg://{address}", poolclass=pool.NullPool).connect()


class NoVersionTable:
    """Takes the place of what keeps the version table up to date: nothing writes it."""

    def __init__(self, _context: Any, _heads: Any) -> None:
        self.heads = {"any"}

    def update_to_step(self, _step: Any) -> None:
        """Do nothing."""


def mock_connection(context: Any, _connection: Any) -> Any:
    """Return the connection of a revision that is rendered: it writes statements with their parameters."""
    from sqlalchemy.engine.mock import MockConnection

    def dump(construct: Any, *parameters: Any, **named: Any) -> None:
        rows = [row for each in parameters if each for row in (each if isinstance(each, (list, tuple)) else [each])]
        rows += [named] if named else []
        for row in rows or [None]:
            context.impl._exec(bind_values(construct, row) if row else construct)

    return MockConnection(context.dialect, dump)


def bind_values(construct: Any, row: dict[str, Any]) -> Any:
    """Return a statement with the values of its parameters."""
    from sqlalchemy import Insert, TextClause

    if isinstance(construct, Insert):
        return construct.values(**row)
    if isinstance(construct, TextClause):
        return construct.bindparams(**row)
    return construct.params(**row)
