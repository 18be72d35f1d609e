"""Replace a database by an empty one with the same settings, so that whatever stops this, the same command completes it.

The empty database is made beside the old one, and gets its name in one transaction after the old one is dropped. Until then it
allows no connections, by which it is recognised: owner, encoding, locale, tablespace, limit, privileges, comment and the settings
of ALTER DATABASE … SET and ALTER ROLE … IN DATABASE … SET are those of the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
from psycopg import sql

from tasks.commands.local.databases import UNCHANGED, drop
from tasks.postgres.quoting import show_identifier
from tasks.runner.errors import RefusedError, RunnerError

_LONGEST = 63
_SUFFIX = "_reset"
_ATTEMPTS = 3
_STATE = "SELECT datallowconn FROM pg_database WHERE datname = %s"
_PROPERTIES = """
SELECT pg_get_userbyid(d.datdba)::text AS owner, pg_encoding_to_char(d.encoding)::text AS encoding, t.spcname::text AS tablespace,
       d.datconnlimit AS connections, d.datistemplate AS template, shobj_description(d.oid, 'pg_database') AS comment,
       d.datacl IS NOT NULL AS granted, to_jsonb(d) AS row
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = %s
"""
_SETTINGS = """
SELECT r.rolname::text, setting
  FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
 CROSS JOIN LATERAL unnest(s.setconfig) setting
 WHERE d.datname = %s
"""
_GRANTS = """
SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, a.is_grantable
  FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) a WHERE d.datname = %s ORDER BY a.grantee
"""
_PRIVILEGES = frozenset({"CREATE", "CONNECT", "TEMPORARY"})
_LISTS = frozenset(
    {"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries", "temp_tablespaces"}
)
"""The settings whose value is a list of names, each of which is a literal of its own in SET (GUC_LIST_QUOTE)."""
_ELEMENT = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
_PROVIDERS = {"b": "builtin", "c": "libc", "i": "icu"}
_EXTENSIONS = """
SELECT e.extname::text FROM pg_extension e
 WHERE e.extname <> 'plpgsql'
   AND NOT EXISTS (SELECT FROM pg_available_extension_versions v WHERE v.name = e.extname AND (v.trusted OR NOT v.superuser))
   AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
 ORDER BY 1
"""


def refuse_extensions(session: psycopg.Connection) -> None:
    """Raise RefusedError if the database of a session has extensions that its role may not create again in a new one."""
    names = [row[0] for row in session.execute(_EXTENSIONS)]
    if names:
        row = session.execute("SELECT current_user::text").fetchone()
        user = show_identifier(row[0]) if row else "this role"
        raise RefusedError(
            f"the database has extensions that only a superuser may create: {', '.join(map(show_identifier, names))}. "
            f"{user} could not create them again",
            hint="Reset it as a superuser: set DATABASE_URL for this command. Or roll everything back: inv db.rollback --to=0",
            state=UNCHANGED,
        )


def prepare(connection: psycopg.Connection, name: str) -> str:
    """Create the empty database that will replace another, and return its name; nothing else is changed.

    Raises RefusedError if there is a database of that name that is not left from an interrupted replacement.
    """
    spare = name_spare(name)
    if _is_ours(connection, spare):
        drop(connection, spare)
    statements = list(_compose_database(connection, name, spare))
    statements += _compose_settings(connection, name, spare)
    done = False
    try:
        for statement in statements:
            connection.execute(statement)
            done = True
    except psycopg.Error as error:
        if done:
            drop(connection, spare)
        raise RefusedError(
            f"no database with the settings of {show_identifier(name)} can be created: {error.diag.message_primary}",
            hint="Use the URL of a role that may do this, such as a superuser.",
            state=UNCHANGED,
            sqlstate=error.sqlstate or "",
        ) from error
    return spare


def replace(connection: psycopg.Connection, name: str, spare: str) -> None:
    """Drop a database with its sessions, and rename the prepared one to its name.

    Another command can have created the database in between: the embedded server's is created where it is absent.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        drop(connection, name)
        try:
            finish(connection, name, spare)
            return
        except psycopg.Error as error:
            if attempt < _ATTEMPTS and isinstance(error, psycopg.errors.DuplicateDatabase):
                continue
            raise RunnerError(
                f"the new database could not get its name: {error.diag.message_primary or error}",
                hint="Run the same command again: it completes this.",
                state=f"The database {show_identifier(name)} was dropped; the new one is prepared as {show_identifier(spare)}.",
                sqlstate=error.sqlstate or "",
            ) from error


def finish(connection: psycopg.Connection, name: str, spare: str) -> None:
    """Rename the prepared database, and let it accept connections, in one transaction."""
    names = {"name": sql.Identifier(name), "spare": sql.Identifier(spare)}
    with connection.transaction():
        connection.execute(sql.SQL("ALTER DATABASE {spare} RENAME TO {name}").format(**names))
        connection.execute(sql.SQL("ALTER DATABASE {name} ALLOW_CONNECTIONS true").format(**names))


def find_prepared(connection: psycopg.Connection, name: str) -> str:
    """Return the database that was prepared to replace one which does not exist any more, or an empty text."""
    spare = name_spare(name)
    row = connection.execute(_STATE, [spare]).fetchone()
    return spare if row is not None and not row[0] else ""


def name_spare(name: str) -> str:
    """Return the name of the database that replaces another; PostgreSQL shortens names to 63 bytes."""
    return name.encode()[: _LONGEST - len(_SUFFIX)].decode(errors="ignore") + _SUFFIX


def _is_ours(connection: psycopg.Connection, spare: str) -> bool:
    """Return True if there is a database that an interrupted replacement left; raises RefusedError if it is another one."""
    row = connection.execute(_STATE, [spare]).fetchone()
    if row is not None and row[0]:
        raise RefusedError(
            f"the database {show_identifier(spare)} exists, and its name is needed for the new one",
            hint=f"Rename it:\n  ALTER DATABASE {show_identifier(spare)} RENAME TO …;",
            state=UNCHANGED,
        )
    return row is not None


def _compose_database(connection: psycopg.Connection, name: str, spare: str) -> Iterator[sql.Composed]:
    """Yield the statements that create an empty database with the properties of another."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(_PROPERTIES, [name]).fetchone()
    if found is None or found["template"]:
        raise RefusedError(f"{show_identifier(name)} is a template, or was just dropped", state=UNCHANGED)
    new, row = sql.Identifier(spare), found["row"]
    options = [
        sql.SQL("OWNER {}").format(sql.Identifier(found["owner"])),
        sql.SQL("ENCODING {}").format(sql.Literal(found["encoding"])),
        sql.SQL("LC_COLLATE {}").format(sql.Literal(row["datcollate"])),
        sql.SQL("LC_CTYPE {}").format(sql.Literal(row["datctype"])),
        sql.SQL("TABLESPACE {}").format(sql.Identifier(found["tablespace"])),
        sql.SQL("CONNECTION LIMIT {}").format(sql.Literal(found["connections"])),
    ]
    # 15 has locale providers, 17 has one name for the locale of all of them.
    provider, locale = row.get("datlocprovider", ""), row.get("datlocale") or row.get("daticulocale")
    if provider in _PROVIDERS:
        options.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.SQL(_PROVIDERS[provider])))
    if provider in ("b", "i") and locale:
        option = "BUILTIN_LOCALE {}" if provider == "b" else "ICU_LOCALE {}"
        options.append(sql.SQL(option).format(sql.Literal(locale)))
    if row.get("daticurules"):
        options.append(sql.SQL("ICU_RULES {}").format(sql.Literal(row["daticurules"])))
    yield sql.SQL("CREATE DATABASE {} TEMPLATE template0 ALLOW_CONNECTIONS false {}").format(new, sql.SQL(" ").join(options))
    if found["comment"]:
        yield sql.SQL("COMMENT ON DATABASE {} IS {}").format(new, sql.Literal(found["comment"]))
    if found["granted"]:
        yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(new, sql.Identifier(found["owner"]))
        for grantee, privilege, grantable in connection.execute(_GRANTS, [name]).fetchall():
            if privilege in _PRIVILEGES:
                text = f"GRANT {privilege} ON DATABASE {{}} TO {{}}{' WITH GRANT OPTION' if grantable else ''}"
                yield sql.SQL(text).format(new, sql.Identifier(grantee) if grantee else sql.SQL("PUBLIC"))


def _compose_settings(connection: psycopg.Connection, name: str, spare: str) -> Iterator[sql.Composed]:
    """Yield the statements that set the settings of another database, also those of roles in it."""
    for role, setting in connection.execute(_SETTINGS, [name]).fetchall():
        key, _, value = setting.partition("=")
        values = [value]
        if key.lower() in _LISTS:
            values = [quoted.replace('""', '"') or plain for quoted, plain in _ELEMENT.findall(value)] or [""]
        literals = sql.SQL(", ").join(map(sql.Literal, values))
        parts = sql.SQL(".").join(map(sql.Identifier, key.split(".")))
        target = sql.SQL("DATABASE {}").format(sql.Identifier(spare))
        if role is not None:
            target = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), sql.Identifier(spare))
        yield sql.SQL("ALTER {} SET {} TO {}").format(target, parts, literals)
