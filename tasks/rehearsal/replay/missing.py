"""Find out from an error what the scratch server lacks: something that no file can create, and that another server may have.

The messages are in English: see ScratchServer.make.
"""

from __future__ import annotations

import re

import psycopg

from tasks.postgres.predefined_roles import PREDEFINED_ROLES, RESERVED_PREFIX
from tasks.rehearsal.lacks import Lack
from tasks.rehearsal.replay.extensions import find_created, find_part
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement

_ROLE = re.compile(r'role "(.+)" does not exist')
_NO_MEMBER = re.compile(r'(?:must be (?:a )?member of role|must be able to SET ROLE|permission denied to set role) "(.+)"')
"""On 14 and 15, since 16, and for SET ROLE: the role was made by another rehearsal, and this one is not a member yet."""
_CONTROL_FILE = re.compile(r'extension control file ".*?([^/"\\]+)\.control"')
_NOT_AVAILABLE = re.compile(r'extension "(.+)" is not available')
_NOT_IN_STAND_IN = re.compile(r" is not in the embedded server's stand-in for the extension (\S+)$")
_NO_VERSION = re.compile(
    r'extension "(.+)" has no (?:installation script nor )?update path (?:for|from) version (?:".+" to version )?"(.+)"'
)
_NOT_BUILT = re.compile(
    r"\b(\S+) is not supported in this build|server to be built with (?:--with-)?(\w+)|compiled without (\w+)"
)
_ICU_COLLATION = re.compile(r'collation "[\w@-]+-x-icu"')
_OTHERS = (
    (re.compile(r'could not create locale "([^"]+)"'), "locale"),
    (re.compile(r'collation "([a-z]{2,3}_[A-Z]{2}[\w.@-]*)" for encoding'), "locale"),
    (re.compile(r'tablespace "(.+)" does not exist'), "tablespace"),
    (re.compile(r'could not open (?:dictionary|affix|stop-word|thesaurus) file ".*?([^/"\\]+)"'), "file"),
    (re.compile(r'could not open (?:dictionary|affix|stop-word|thesaurus)? ?file ".*?tsearch_data/([^/"\\]+)"'), "file"),
    (re.compile(r'access method "(.+)" does not exist'), "access method"),
)
_LANGUAGE = re.compile(r'language "(.+)" does not exist')
_OF_CREATION = frozenset({"0A000", "22023", "55000", "58P01", "F0000"})
"""The errors of CREATE EXTENSION for what the server lacks: its files, its library, or shared_preload_libraries."""
_IS_AVAILABLE = "SELECT FROM pg_available_extensions WHERE name = %s"
_HAS_ICU = "SELECT FROM pg_collation WHERE collname LIKE '%-x-icu' LIMIT 1"


def find_missing_role(error: RunnerError) -> str:
    """Return the role that does not exist according to an error; "" for any other error."""
    match = _ROLE.match(_read_reason(error)) if error.sqlstate in ("42704", "22023") else None
    return match[1] if match else ""


def find_wanted_role(error: RunnerError) -> str:
    """Return the role that does not exist, or that the rehearsal may not act as yet, according to an error; "" for any other."""
    match = _NO_MEMBER.match(_read_reason(error)) if error.sqlstate == "42501" else None
    return match[1] if match else find_missing_role(error)


def find_lack(error: RunnerError, statement: Statement | None, administrator: psycopg.Connection) -> Lack | None:
    """Return what the scratch server lacks according to an error; None if the file may be wrong.

    `administrator` is a session on the server.
    """
    reason = _read_reason(error)
    found = _find_extension(reason, error, statement) or _find_part_of_server(error, reason, administrator)
    if found:
        return found
    role = find_missing_role(error)
    if role:
        return Lack("role", role) if role in PREDEFINED_ROLES or not role.startswith(RESERVED_PREFIX) else None
    language = _LANGUAGE.search(reason)
    provider = language[1] if language else find_part(error)
    if provider and not _is_available(provider, administrator):
        return Lack("extension", provider)
    return None


def _find_extension(reason: str, error: RunnerError, statement: Statement | None) -> Lack | None:
    version = _NO_VERSION.search(reason)
    if version:
        return Lack("extension version", version[1], version[2])
    match = _NOT_AVAILABLE.search(reason) or _CONTROL_FILE.search(reason) or _NOT_IN_STAND_IN.search(reason)
    if match:
        return Lack("extension", match[1])
    if statement is None or error.sqlstate not in _OF_CREATION:
        return None
    created = find_created(statement.text)
    # A block may do more than that, so its error counts only if it names the extension.
    if statement.kind == "CreateExtensionStmt" and created:
        return Lack("extension", created[0])
    return next((Lack("extension", name) for name in created if name in reason), None)


def _find_part_of_server(error: RunnerError, reason: str, administrator: psycopg.Connection) -> Lack | None:
    built = _NOT_BUILT.search(error.message) if error.sqlstate == "0A000" else None
    if built:
        return Lack("build", next(name for name in built.groups() if name))
    if _ICU_COLLATION.search(reason) and administrator.execute(_HAS_ICU).fetchone() is None:
        return Lack("build", "ICU")
    for pattern, kind in _OTHERS:
        match = pattern.search(reason)
        if match:
            provider = find_part(error) if kind == "access method" else ""
            if provider:
                return None if _is_available(provider, administrator) else Lack("extension", provider)
            return Lack(kind, match[1])
    return None


def _is_available(extension: str, administrator: psycopg.Connection) -> bool:
    return administrator.execute(_IS_AVAILABLE, [extension]).fetchone() is not None


def _read_reason(error: RunnerError) -> str:
    return error.message.partition("\n")[0]
