"""What may be wrong with a database's URL, said without its password."""

from __future__ import annotations

import re

_SCHEMES = ("postgresql", "postgres")
_SCHEME = re.compile(r"([A-Za-z][\w.+-]*)://")
_KEYWORD = re.compile(r"\s*\w+\s*=")
_ENCODED = "@ as %40, / as %2F, : as %3A, % as %25"
_HIGHEST_PORT = 65535


def find_fault(url: str) -> str:
    """Say what is wrong with a URL or conninfo string; empty where libpq can read it as it was meant.

    The URL itself is not told: where it cannot be read, nobody knows what in it is the password.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
    """
    scheme = _SCHEME.match(url)
    if scheme is None and not _KEYWORD.match(url):
        return "it does not begin with postgresql://"
    if scheme is not None and scheme[1] not in _SCHEMES:
        driver = ", without a +driver" if "+" in scheme[1] else ""
        return f"it begins with {scheme[1]}://, and must with postgresql://{driver}"
    if scheme is not None and _is_ambiguous(url[scheme.end() :]):
        return f"it has an @ too many: in user, password and database, write {_ENCODED}"
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        return _explain(str(error).strip(), url)
    ports = str(parts.get("port") or "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT) for port in ports):
        return f"its port is no number from 1 to {_HIGHEST_PORT}"
    return ""


def _is_ambiguous(rest: str) -> bool:
    """Tell whether an @ stands behind the one that ends user and password: then a part of these is taken for the host."""
    before, _, after = rest.partition("@")
    if "/" in before:
        after = rest
    return "@" in after.partition("?")[0]


def _explain(reason: str, url: str) -> str:
    """Keep of libpq's words what cannot be a piece of the password: of all that it quotes, only the name of a parameter."""
    if reason.startswith("invalid URI query parameter") and "@" not in url.partition("?")[2]:
        return f"it has a parameter that PostgreSQL does not know: {reason.rpartition(': ')[2]}"
    if "percent-encoded" in reason:
        return f"a sign in it must be written otherwise: {_ENCODED}, a space as %20"
    told, quote, _ = reason.partition('"')
    return f"it cannot be read: {told.strip()}{' …' if quote else ''}"
