"""The drivers of PostgreSQL in the process of `child.py`: they reach a scratch database, or none; loaded by path, as that is."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

_OFFLINE = "connects to a database, which is not possible while revisions are rendered offline"
_OF_PSYCOPG = frozenset(
    {"autocommit", "prepare_threshold", "context", "row_factory", "cursor_factory", "connection_factory", "options"}
)
_OF_ASYNCPG = frozenset(
    {"timeout", "statement_cache_size", "max_cached_statement_lifetime", "server_settings", "connection_class"}
)
"""The arguments of a connection that do not determine its address."""


class OfflineError(Exception):
    """A connection was to be opened while revisions are rendered."""


def guard_drivers(conninfo: str, url: str) -> None:
    """Make every driver connect to the scratch database, whatever its address is; without one, none can connect."""
    if importlib.util.find_spec("psycopg"):
        import psycopg

        kinds: tuple[Any, ...] = (psycopg.Connection, psycopg.AsyncConnection)
        for kind in kinds:
            kind.connect = classmethod(redirect(kind.connect.__func__, conninfo))
        psycopg.connect = psycopg.Connection.connect
    for name, address in (("psycopg2", conninfo), ("asyncpg", url), ("pg8000", ""), ("pg8000.dbapi", ""), ("pg8000.native", "")):
        if importlib.util.find_spec(name.partition(".")[0]) is None:
            continue
        module = importlib.import_module(name)
        for attribute in {"connect", "Connection", "create_pool"} & set(vars(module)):
            value = getattr(module, attribute)
            if attribute == "connect":
                setattr(module, attribute, redirect_function(value, address if conninfo else ""))
            elif attribute == "create_pool" or name == "pg8000.native":
                setattr(module, attribute, redirect_function(value, ""))


def redirect(connect: Callable[..., Any], address: str) -> Callable[..., Any]:
    """Return a method that connects to an address, or raises OfflineError without one."""

    def run(kind: Any, *_arguments: Any, **named: Any) -> Any:
        if not address:
            raise OfflineError(_OFFLINE)
        kept = {name: value for name, value in named.items() if name in _OF_PSYCOPG}
        # env.py may be written for asyncpg, whose place psycopg takes.
        settings = "".join(f" -c {name}={escape_option(value)}" for name, value in named.get("server_settings", {}).items())
        if settings:
            kept["options"] = f"{kept.get('options', '')}{settings}"
        return connect(kind, address, **kept)

    return run


def escape_option(value: object) -> str:
    """Return a value for the `options` of a connection: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS."""
    return str(value).replace("\\", "\\\\").replace(" ", "\\ ")


def redirect_function(connect: Callable[..., Any], address: str) -> Callable[..., Any]:
    """Return a function that connects to an address, or raises OfflineError without one."""

    def run(*_arguments: Any, **named: Any) -> Any:
        if not address:
            raise OfflineError(_OFFLINE)
        return connect(address, **{name: value for name, value in named.items() if name in _OF_PSYCOPG | _OF_ASYNCPG})

    return run


def substitute_drivers(*, every: bool) -> None:
    """Replace the drivers that are not installed, or `every` one, by psycopg, with the statements that each of them sends."""
    from sqlalchemy.dialects import postgresql, registry

    module = "sqlalchemy.dialects.postgresql.psycopg"
    if importlib.util.find_spec(module) is None:
        return
    globals()["LiteralDialect"] = make_literal_dialect(importlib.import_module(module).PGDialect_psycopg)
    replaced = {name for name in ("psycopg2", "asyncpg", "pg8000") if every or importlib.util.find_spec(name) is None}
    for name in replaced:
        registry.register(f"postgresql.{name}", module, "dialect_async" if name == "asyncpg" else "dialect")
    if "psycopg2" in replaced:
        registry.register("postgresql.psycopg2", __name__, "LiteralDialect")
        # Before SQLAlchemy 2.1, psycopg2 is the default.
        own = getattr(postgresql, "dialect").driver == "psycopg2"  # noqa: B009
        registry.register("postgresql", *((__name__, "LiteralDialect") if own else (module, "dialect")))


def make_literal_dialect(base: Any) -> Any:
    """Return a dialect of psycopg that sends values as psycopg2 does: in the statement, and without casts.

    With psycopg, a text for a column of another type is an error, and so is a value where only a literal may be.
    """
    import psycopg
    from sqlalchemy.engine.interfaces import BindTyping

    class LiteralDialect(base):  # type: ignore[misc]
        driver = "psycopg2"
        supports_statement_cache = True
        bind_typing = BindTyping.NONE

        def create_connect_args(self, url: Any) -> Any:
            arguments, named = super().create_connect_args(url)
            return arguments, {**named, "cursor_factory": psycopg.ClientCursor}

    return LiteralDialect
