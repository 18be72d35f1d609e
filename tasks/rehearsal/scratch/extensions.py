"""What a rehearsal's role may not do with extensions and default privileges, done by the administrator of the scratch server.

The script of an extension runs as a superuser, with the schema of the extension first on its search_path. The owner of objects in
that schema could so have its functions called (https://www.postgresql.org/docs/current/extend-extensions.html#EXTEND-EXTENSIONS-SECURITY).
So the script runs in a schema that is created for it, and the extension is moved from there. One that cannot be moved, or that
needs others, is only created where the migrations have no functions, operators and types in its schema and those of the others.
Nothing of the file's text is sent: the statement is composed of the names in it. Extensions with which every role can connect
to other databases and hosts are not created at all.

ALTER DEFAULT PRIVILEGES FOR ROLE consists of names only, so its text is sent. It has no effect on the scratch server, where
the named role creates nothing; so it must not name the administrator, or another superuser.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tasks.runner.errors import RunnerError

_TYPE = "OBJECT_EXTENSION"
_PIN = "SET LOCAL search_path = pg_catalog, pg_temp"
_RESET = """
SELECT set_config(s.name, s.boot_val, true)
  FROM pg_db_role_setting d JOIN pg_database b ON b.oid = d.setdatabase
 CROSS JOIN unnest(d.setconfig) AS c JOIN pg_settings s ON s.name = split_part(c, '=', 1)
 WHERE b.datname = current_database() AND d.setrole = 0
"""
"""The owner of a database can change the settings with which sessions in it begin, how a script is read among them."""
_END_OTHERS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
_CONTROL = """
SELECT v.relocatable AND v.requires IS NULL, v.schema::text
  FROM pg_available_extension_versions v JOIN pg_available_extensions a USING (name)
 WHERE name = %s AND v.version = coalesce(%s, a.default_version)
"""
_INSTALLED = """
SELECT n.nspname::text, e.extrelocatable AND NOT EXISTS (
       SELECT FROM pg_available_extension_versions v WHERE v.name = e.extname AND v.requires IS NOT NULL)
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = %s
"""
_OWN = """
SELECT o.name, n.nspname::text
  FROM (SELECT proname::text AS name, pronamespace AS schema, proowner AS owner FROM pg_proc
        UNION ALL SELECT oprname::text, oprnamespace, oprowner FROM pg_operator
        UNION ALL SELECT typname::text, typnamespace, typowner FROM pg_type
         WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = typrelid AND relkind <> 'c')
           AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = pg_type.oid)) AS o
  JOIN pg_namespace n ON n.oid = o.schema JOIN pg_roles r ON r.oid = o.owner
 WHERE (n.nspname = %s OR n.oid IN (SELECT extnamespace FROM pg_extension))
   AND NOT r.rolsuper AND r.rolname <> current_user
 ORDER BY 2, 1 LIMIT 1
"""
_OPEN = ("dblink", "http", "pg_net")
"""Extensions whose functions connect to other servers, and that grant them to PUBLIC. A role can set its own password and then
connect to every database that is open to PUBLIC. A foreign-data wrapper needs a grant of USAGE first.
https://www.postgresql.org/docs/current/contrib-dblink-connect.html, https://github.com/pramsey/pgsql-http,
https://github.com/supabase/pg_net, https://www.postgresql.org/docs/current/ddl-priv.html"""
_DEFAULTS = "AlterDefaultPrivilegesStmt"
_POWERFUL = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolname = current_user)"
_FIND_OPEN = "SELECT extname::text FROM pg_extension WHERE extname = ANY (%s)"


class UnsafeExtensionError(RunnerError):
    """An extension that would grant the rehearsal's role rights beyond its database."""


@dataclass(frozen=True, slots=True)
class ExtensionStatement:
    """A statement about extensions, by the parser's name of its kind and its fields."""

    kind: str
    fields: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """Return the names of the extensions."""
        if self.kind == "DropStmt":
            return [each["String"]["sval"] for each in self.fields["objects"]]
        if "extname" in self.fields:
            return [self.fields["extname"]]
        return [self.fields["object"]["String"]["sval"]]

    def read_option(self, name: str) -> str | None:
        """Return the value of an option, None if the statement does not have it."""
        for option in self.fields.get("options", ()):
            element = option["DefElem"]
            if element["defname"] == name:
                value: str = element["arg"].get("String", {}).get("sval", "true")
                return value
        return None


def read_statement(text: str, kind: str) -> ExtensionStatement | None:
    """Return a statement about extensions; None for any other, and for ALTER EXTENSION … ADD and DROP."""
    if kind not in _RUN:
        return None
    from pglast.parser import parse_sql_json

    fields: dict[str, Any] = json.loads(parse_sql_json(text))["stmts"][0]["stmt"][kind]
    if kind == _DEFAULTS:
        return ExtensionStatement(kind, {**fields, "text": text})
    types = {fields.get(name, _TYPE) for name in ("objectType", "removeType", "objtype")}
    return ExtensionStatement(kind, fields) if types == {_TYPE} else None


def read_any_statement(text: str) -> ExtensionStatement | None:
    """Return a single statement about extensions; None for any other text."""
    from pglast.parser import ParseError, parse_sql_json

    try:
        statements = json.loads(parse_sql_json(text)).get("stmts", [])
    except ParseError:
        return None
    kinds = [kind for statement in statements for kind in statement["stmt"]]
    return read_statement(text, kinds[0]) if len(kinds) == 1 else None


def make_creation(name: str) -> ExtensionStatement:
    """Return the statement that creates an extension."""
    return ExtensionStatement("CreateExtensionStmt", {"extname": name})


def administer(connection: psycopg.Connection, statement: ExtensionStatement, schema: str) -> None:
    """Carry out a statement in a session of the administrator, whose search_path is pinned, and end all other sessions first.

    `schema` is where the extension is created if the statement does not state it. Raises UnsafeExtensionError or psycopg.Error;
    then nothing was changed.
    """
    connection.execute(_END_OTHERS, [connection.info.backend_pid])
    with connection.transaction():
        connection.execute(_PIN)
        connection.execute(_RESET)
        connection.execute(_PIN)
        _RUN[statement.kind](connection, statement, schema)
        # Another extension can require one of them, which CASCADE creates.
        row = connection.execute(_FIND_OPEN, [list(_OPEN)]).fetchone()
        if row is not None:
            raise _refuse_open(row[0])


def _refuse_open(name: str) -> UnsafeExtensionError:
    return UnsafeExtensionError(f"with extension {name}, every role can connect to other databases and hosts")


def _create(connection: psycopg.Connection, statement: ExtensionStatement, schema: str) -> None:
    (name,) = statement.names
    if name in _OPEN:
        raise _refuse_open(name)
    version, stated = statement.read_option("new_version"), statement.read_option("schema")
    row = connection.execute(_CONTROL, [name, version]).fetchone()
    movable, fixed = row or (False, None)
    target = stated or fixed or schema
    create = sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name))
    options = sql.SQL(" VERSION {}").format(sql.Literal(version)) if version else sql.SQL("")
    if movable:
        with _private_schema(connection) as private:
            connection.execute(create + sql.SQL(" SCHEMA {}").format(private) + options)
            _move(connection, name, target)
        return
    _check(connection, name, target)
    if stated or not fixed:
        options += sql.SQL(" SCHEMA {}").format(sql.Identifier(target))
    if statement.read_option("cascade"):
        options += sql.SQL(" CASCADE")
    connection.execute(create + options)


def _alter(connection: psycopg.Connection, statement: ExtensionStatement, _schema: str) -> None:
    (name,) = statement.names
    version = statement.read_option("new_version")
    update = sql.SQL("ALTER EXTENSION {} UPDATE").format(sql.Identifier(name))
    if version:
        update += sql.SQL(" TO {}").format(sql.Literal(version))
    row = connection.execute(_INSTALLED, [name]).fetchone()
    if row is None or not row[1]:
        _check(connection, name, row[0] if row else "")
        connection.execute(update)
        return
    with _private_schema(connection) as private:
        connection.execute(sql.SQL("ALTER EXTENSION {} SET SCHEMA {}").format(sql.Identifier(name), private))
        connection.execute(update)
        _move(connection, name, row[0])


def _set_schema(connection: psycopg.Connection, statement: ExtensionStatement, _schema: str) -> None:
    _move(connection, statement.names[0], statement.fields["newschema"])


def _drop(connection: psycopg.Connection, statement: ExtensionStatement, _schema: str) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, statement.names))
    condition = sql.SQL("IF EXISTS " if statement.fields.get("missing_ok") else "")
    cascade = sql.SQL(" CASCADE" if statement.fields.get("behavior") == "DROP_CASCADE" else "")
    connection.execute(sql.SQL("DROP EXTENSION {}{}{}").format(condition, names, cascade))


def _comment(connection: psycopg.Connection, statement: ExtensionStatement, _schema: str) -> None:
    name, text = sql.Identifier(statement.names[0]), sql.Literal(statement.fields.get("comment"))
    connection.execute(sql.SQL("COMMENT ON EXTENSION {} IS {}").format(name, text))


def _set_defaults(connection: psycopg.Connection, statement: ExtensionStatement, _schema: str) -> None:
    options = {option["DefElem"]["defname"]: option["DefElem"]["arg"] for option in statement.fields.get("options", ())}
    roles = [item["RoleSpec"].get("rolename") for item in options.get("roles", {"List": {"items": []}})["List"]["items"]]
    if not roles or None in roles or connection.execute(_POWERFUL, [roles]).fetchone():
        raise UnsafeExtensionError("the default privileges of this role apply to what the administrator creates")
    connection.execute(statement.fields["text"])


_RUN = {
    _DEFAULTS: _set_defaults,
    "CreateExtensionStmt": _create,
    "AlterExtensionStmt": _alter,
    "AlterObjectSchemaStmt": _set_schema,
    "DropStmt": _drop,
    "CommentStmt": _comment,
}


@contextmanager
def _private_schema(connection: psycopg.Connection) -> Iterator[sql.Identifier]:
    """Create a schema in which only the administrator can create objects, and drop it afterwards."""
    private = sql.Identifier(f"migrate_private_{secrets.token_hex(8)}")
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(private))
    yield private
    connection.execute(sql.SQL("DROP SCHEMA {}").format(private))


def _move(connection: psycopg.Connection, name: str, schema: str) -> None:
    connection.execute(sql.SQL("ALTER EXTENSION {} SET SCHEMA {}").format(sql.Identifier(name), sql.Identifier(schema)))


def _check(connection: psycopg.Connection, name: str, schema: str) -> None:
    """Raise UnsafeExtensionError if the script of an extension could find an object of another role by its name."""
    row = connection.execute(_OWN, [schema]).fetchone()
    if row is not None:
        raise UnsafeExtensionError(
            f"the script of extension {name} runs as a superuser and could use {row[0]} of schema {row[1]}, made by a migration"
        )
