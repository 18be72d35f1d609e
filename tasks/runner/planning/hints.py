"""The next step after an error of the server: one table by SQLSTATE.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tasks.postgres.extension_parts import find_provider
from tasks.postgres.predefined_roles import PREDEFINED_ROLES, RESERVED_PREFIX
from tasks.postgres.quoting import show_identifier, show_literal
from tasks.runner.parsing.declarations import find_extension, find_names
from tasks.runner.planning.fault import ServerFault
from tasks.runner.planning.row_hints import hint_duplicates, hint_nulls, hint_orphans, hint_too_long, hint_violations

Hint = str | Callable[[ServerFault], str]

FIX_FILE = "Fix the file, then run the command again."
FIX_CAUSE = "Fix the cause, then run the same command again."

_LEDGER = "schema_migrations"
_READ_ONLY = re.compile(r"\bread\s+only\b|\b(?:default_)?transaction_read_only\b", re.IGNORECASE)
_CALLED = re.compile(r"(?P<name>[\w$.]+|\"[^\"]+\")\(")
_EXTENSION = re.compile(r'extension (?:"(?P<name>.+)" is not available|control file ".*?(?P<file>[^/"\\]+)\.control")')
_ROLE = re.compile(r'role "(?P<name>.+)" does not exist')
_SUBJECTS = {"42P07": "relation", "42710": "object", "42701": "column", "42723": "function", "42P06": "schema"}


def choose_hint(fault: ServerFault) -> str:
    """Return what to do about an error; for an error that no entry knows, fix the file, or outside a file the cause."""
    hint: Hint = _HINTS.get(fault.sqlstate, "")
    if fault.statement:
        hint = _FILE_HINTS.get(fault.sqlstate, hint)
    text = hint if isinstance(hint, str) else hint(fault)
    return text or _CLASSES.get(fault.sqlstate[:2], "") or (FIX_FILE if fault.statement else FIX_CAUSE)


def hint_missing(fault: ServerFault) -> str:
    """Return how to get the extension or role that the server lacks, by the message alone; "" for any other error."""
    found = _EXTENSION.search(fault.message)
    return _hint_files(found["name"] or found["file"], fault) if found else _hint_missing_role(fault)


def _hint_privilege(fault: ServerFault) -> str:
    owned = [f"{name} belongs to {owner}" for name, owner in fault.facts.owners]
    subject = f"The user {show_identifier(fault.facts.user)}" if fault.facts.user else "The user in DATABASE_URL"
    if owned:
        return f"{subject} lacks a privilege: {'; '.join(owned)}.\nThe owner can grant it (GRANT …), or run this as the owner."
    return f"{subject} lacks a privilege. Ask for it (GRANT …), or use the URL of the owner."


def _hint_read_only(fault: ServerFault) -> str:
    if fault.statement and _READ_ONLY.search(fault.script):
        return "The file itself makes its transaction read-only: remove that setting."
    if fault.facts.standby:
        return "This server is a standby, which is read-only. Use the URL of the primary."
    return "This server is read-only: a replica, or default_transaction_read_only is on. Use the URL of the primary."


def _hint_lock(fault: ServerFault) -> str:
    if fault.blockers:
        ends = "\n".join(f"SELECT pg_terminate_backend({blocker.pid});" for blocker in fault.blockers)
        first = f"Run the command again when the blocking session{'s end' if len(fault.blockers) > 1 else ' ends'}, or end"
        return f"{first} {'them' if len(fault.blockers) > 1 else 'it'}:\n{ends}\n{_LOCK_SETTINGS}"
    tables = find_names(fault.statement) if fault.statement else ()
    if not tables:
        return f"Another session has the lock. Run the command again when it is done.\n{_LOCK_SETTINGS}"
    return (
        "Another session has the lock. Run the command again when it is done; these sessions have locks there:\n"
        "SELECT pid, usename, state, query FROM pg_locks JOIN pg_stat_activity USING (pid)\n"
        f" WHERE relation = {show_literal(tables[0])}::regclass AND granted;\n{_LOCK_SETTINGS}"
    )


_LOCK_SETTINGS = "LOCK_TIMEOUT, LOCK_ATTEMPTS and LOCK_PATIENCE set how long to wait."


def _hint_exists(fault: ServerFault) -> str:
    subject = f"{_SUBJECTS[fault.sqlstate]} {fault.name}".rstrip()
    if fault.is_first:
        return (
            f"The {subject} exists already, and no migration is recorded here. If the schema was created before without\n"
            "this tool, record its migrations as applied: inv db.adopt"
        )
    return f"The {subject} exists already: it was created outside the migrations, or by another file. Compare: inv db.drift"


def _hint_missing_table(fault: ServerFault) -> str:
    if _LEDGER in fault.message:
        return (
            "A table of the ledger is missing: a statement dropped, renamed or moved it. Undo that in the file, or restore the\n"
            "table; a ledger that is gone completely is created again by inv db.adopt --apply."
        )
    if not fault.statement:
        return ""
    name = f"{fault.name} " if fault.name else ""
    return (
        f"No table {name}exists in the schemas of search_path at this point: check its name, its schema and the order of files."
    )


def _hint_missing_column(fault: ServerFault) -> str:
    subject = f"column {fault.name}" if fault.name else "such column"
    return f"No {subject} exists at this point: check its name and its table, then run the command again."


def _hint_missing_role(fault: ServerFault) -> str:
    """Return how to create a role that does not exist; "" for another error with the same SQLSTATE, of SET ROLE for example."""
    match = _ROLE.match(fault.message)
    if match is None:
        return ""
    if match["name"].startswith(RESERVED_PREFIX):
        since = PREDEFINED_ROLES.get(match["name"])
        return f"{match['name']} exists since PostgreSQL {since}." if since else ""
    return f"Roles belong to the server, not to a database. Create it there:\nCREATE ROLE {show_identifier(match['name'])};"


def _hint_missing_object(fault: ServerFault) -> str:
    role = _hint_missing_role(fault)
    if role:
        return role
    provider = find_provider(fault.name)
    if provider and "create extension" not in " ".join(fault.before).lower():
        return f"{fault.name} belongs to the extension {provider}. Write before it:\n{_create_extension(provider)}"
    extension = find_extension(fault.statement)
    if extension:
        return _hint_extension(fault)
    subject = fault.name or "It"
    return f"{subject} does not exist here, or not in a schema of search_path: check its name, or create it before."


def _hint_missing_function(fault: ServerFault) -> str:
    called = _CALLED.search(fault.message)
    name = called["name"].rpartition(".")[2] if called else ""
    provider = find_provider(name)
    if provider and "create extension" not in " ".join(fault.before).lower():
        return f"{name}() belongs to the extension {provider}. Write before it:\n{_create_extension(provider)}"
    return "No function or operator has this name and these argument types: check both, and the schema, or add casts."


def _create_extension(name: str) -> str:
    return f"CREATE EXTENSION IF NOT EXISTS {show_identifier(name)};"


def _hint_unsupported(fault: ServerFault) -> str:
    if find_extension(fault.statement):
        return _hint_extension(fault)
    version = f" (PostgreSQL {fault.facts.major})" if fault.facts.major else ""
    return f"This server{version} does not support that in this form: see the message, and rewrite the statement."


def _hint_extension(fault: ServerFault) -> str:
    name = find_extension(fault.statement)
    if not name:
        return "The server could not read one of its files: is the package of an extension missing or damaged?"
    return _hint_files(name, fault)


def _hint_files(name: str, fault: ServerFault) -> str:
    major = f" for PostgreSQL {fault.facts.major}" if fault.facts.major else ""
    return (
        f"Install the files of the extension {name} on the server{major}; a hosted server must offer it:\n"
        f"SELECT * FROM pg_available_extensions WHERE name = {show_literal(name)};"
    )


def _hint_missing_schema(fault: ServerFault) -> str:
    if not fault.name:
        return "Create the schema in an earlier statement or file, or set a search_path that exists."
    return f"Create the schema in an earlier statement or file: CREATE SCHEMA {show_identifier(fault.name)};"


def _hint_encoding(fault: ServerFault) -> str:
    encoding = f" ({fault.facts.encoding})" if fault.facts.encoding else ""
    return f"The encoding of this database{encoding} lacks a character of the text: replace it, or use a UTF8 database."


def _hint_in_use(fault: ServerFault) -> str:
    if "Database" in fault.kind or "Dropdb" in fault.kind:
        return (
            "Other sessions use the database. They are:\nSELECT pid, usename, application_name FROM pg_stat_activity"
            f" WHERE datname = {show_literal(fault.name)};"
        )
    return (
        "The table is in use by this transaction: by deferred constraint triggers, or by an open cursor.\n"
        "Write SET CONSTRAINTS ALL IMMEDIATE; before it, or move the statement to a file of its own."
    )


_HINTS: Mapping[str, Hint] = {
    "25006": _hint_read_only,
    "40001": "Another transaction changed the same rows. Run the same command again.",
    "40P01": "Two sessions waited for each other. Run the same command again.",
    "42501": _hint_privilege,
    "42P01": _hint_missing_table,
    "53100": "The server's disk is full. Free some space, then run the same command again.",
    "53200": "The server ran out of memory. Run the same command again when the load is lower.",
    "53300": "The server has no free connection. Wait until sessions end, or raise max_connections or CONNECTION LIMIT.",
    "55P03": _hint_lock,
    "57014": "It was cancelled, by statement_timeout or by an administrator.",
    "57P01": "An administrator ended the session, or the server shuts down. Run the same command again when it is ready.",
    "57P02": "Another process of the server crashed. Run the same command again when it is ready.",
    "57P03": "The server is starting up or shutting down. Run the same command again when it is ready.",
    "58030": "The server could not read or write a file: see its log and its disk.",
    "22P05": _hint_encoding,
    "MS001": "The file may be right. Use a server that has the extension itself: SCRATCH_DATABASE_URL for a rehearsal,\n"
    "DATABASE_URL for the local database.",
    "26000": "A pooler or a statement removed a prepared statement. Run the same command again; behind a pooler, set\n"
    "DIRECT_DATABASE_URL to a URL of the server itself.",
}
"""Hints that also apply outside the statements of files."""

_FILE_HINTS: Mapping[str, Hint] = {
    "0A000": _hint_unsupported,
    "22001": hint_too_long,
    "22023": _hint_missing_role,
    "22P02": "A value does not fit the type: correct it, or convert it with an expression (USING, CASE).",
    "23502": hint_nulls,
    "23503": hint_orphans,
    "23505": hint_duplicates,
    "23514": hint_violations,
    "2BP01": "Other objects depend on it (see above): drop or change these first; CASCADE would drop them all.",
    "3F000": _hint_missing_schema,
    "42701": _hint_exists,
    "42703": _hint_missing_column,
    "42704": _hint_missing_object,
    "42710": _hint_exists,
    "42723": _hint_exists,
    "42883": _hint_missing_function,
    "42P06": _hint_exists,
    "42P07": _hint_exists,
    "55006": _hint_in_use,
    "55P04": "A new enum value cannot be used in the transaction that adds it: ALTER TYPE … ADD VALUE needs an earlier file.",
    "58P01": _hint_extension,
    "P0001": "A trigger, function or DO block raised this error on purpose: its text is the reason.",
}
"""Hints for a statement of a file, before the others."""

_CLASSES: Mapping[str, str] = {
    "08": "The connection failed. Run the same command again when the server can be reached.",
    "53": "The server lacks a resource: free it, then run the same command again.",
    "57": "An operator or the server stopped it. Run the same command again when the server is ready.",
    "58": "The server's system failed: see its log.",
    "XX": "This is an internal error of the server: see its log, and whether an update of PostgreSQL fixes it.",
}
"""Hints by the first two characters, for errors without an entry of their own."""
