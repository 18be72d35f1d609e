"""Faults of a database URL, described without its password."""

from __future__ import annotations

import re

_SCHEMES = ("postgresql", "postgres")
_SCHEME = re.compile(r"([A-Za-z][\w.+-]*)://")
_KEYWORD = re.compile(r"\s*\w+\s*=")
_ENCODED = "@ as %40, / as %2F, : as %3A, % as %25"
_HIGHEST_PORT = 65535


def find_fault(url: str) -> str:
    """Return what is wrong with a URL or conninfo string, empty if libpq reads it as it was meant.

    The URL is not quoted: in one that cannot be read, any part may be the password.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
    """
    scheme = _SCHEME.match(url)
    if scheme is None and not _KEYWORD.match(url):
        return "it must begin with postgresql://"
    if scheme is not None and scheme[1] not in _SCHEMES:
        driver = ", without a +driver" if "+" in scheme[1] else ""
        return f"it begins with {scheme[1]}://, but must begin with postgresql://{driver}"
    if scheme is not None and _is_ambiguous(url[scheme.end() :]):
        return f"it contains more than one @: in user, password and database, write {_ENCODED}"
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        return _explain(str(error).strip(), url)
    ports = str(parts.get("port") or "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT) for port in ports):
        return f"the port must be a number from 1 to {_HIGHEST_PORT}"
    return ""


def _is_ambiguous(rest: str) -> bool:
    """Return True if an @ follows the one that ends user and password: then a part of these is read as the host."""
    before, _, after = rest.partition("@")
    if "/" in before:
        after = rest
    return "@" in after.partition("?")[0]


def _explain(reason: str, url: str) -> str:
    """Return the part of a message of libpq that cannot contain the password: of all it quotes, only a parameter's name."""
    if reason.startswith("invalid URI query parameter") and "@" not in url.partition("?")[2]:
        return f"PostgreSQL does not know its parameter {reason.rpartition(': ')[2]}"
    if "percent-encoded" in reason:
        return f"some characters must be percent-encoded: {_ENCODED}, a space as %20"
    shown, quote, _ = reason.partition('"')
    return f"it cannot be read: {shown.strip()}{' …' if quote else ''}"
