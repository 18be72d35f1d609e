"""Why a connection failed, and what to check: by the server's SQLSTATE, or by the message of libpq.

libpq does not return the SQLSTATE of a refused connection, and the server's text is in the server's language. libpq's own
messages are in English: Python sets only LC_CTYPE, and a program without a locale for messages has those of the C locale.
https://docs.python.org/3/library/locale.html#background-details-hints-tips-and-caveats
"""

from __future__ import annotations

import os
import re
import select
import time
from contextlib import suppress

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from tasks.postgres.secret_words import EXAMPLE_URL
from tasks.runner.database.addresses import describe_database
from tasks.runner.errors import ConnectError, RefusedError

OLDEST_VERSION = 140000
"""The oldest supported version of PostgreSQL, as server_version_num. Older ones get no more fixes:
https://www.postgresql.org/support/versioning/."""
TOO_MANY = "53300"
_MAJOR = 10000
_BY_SQLSTATE = {
    "28P01": "Check user and password in DATABASE_URL.",
    "28000": "Check the user in DATABASE_URL: the role does not exist, or may not log in (ALTER ROLE … LOGIN),\n"
    "or pg_hba.conf of the server does not allow it from this address.",
    "3D000": "Check the name of the database in DATABASE_URL; inv db.create creates the one that it names.",
    "42501": "The user has no CONNECT privilege on this database: GRANT CONNECT ON DATABASE … TO … by its owner.",
    TOO_MANY: "Wait until sessions end, or raise the limit: max_connections, or CONNECTION LIMIT of the role or database.",
    "53200": "The server ran out of memory. Run the same command again when the load is lower.",
    "53100": "The server's disk is full. Free some space, then run the same command again.",
    "55000": "The database does not accept connections (ALLOW_CONNECTIONS false), or is being created.",
    "57P03": "The server is starting up, shutting down or recovering. Run the same command again when it is ready.",
    "57P01": "The server is shutting down, or an administrator ended the session. Run the same command again.",
    "57P02": "The server crashed. Run the same command again when it is ready.",
    "0A000": "The server does not support what the connection asks for: check the parameters in DATABASE_URL.",
    "08P01": "The server, or the pooler before it, refused the connection: check the parameters in DATABASE_URL.",
    "22023": "The server refused a setting of the connection: check `options` in DATABASE_URL and PGOPTIONS.",
    "42704": "The server does not know a setting of the connection: check `options` in DATABASE_URL and PGOPTIONS.",
}
_BY_TEXT = (
    ("fe_sendauth: no password supplied", "DATABASE_URL contains no password, and the server requires one."),
    ("failed to resolve host", "Check the host in DATABASE_URL; is the network (VPN, WireGuard) up?"),
    ("could not translate host name", "Check the host in DATABASE_URL; is the network (VPN, WireGuard) up?"),
    ("Connection refused", "Is the server running, and is the port in DATABASE_URL correct?"),
    ("No such file or directory", "Is the server running? Its socket is not at the path in DATABASE_URL."),
    ("timeout expired", "The server did not answer in time; is the host in DATABASE_URL correct, and is the network up?"),
    ("Network is unreachable", "Is the network (VPN, WireGuard) up?"),
    ("No route to host", "Is the network (VPN, WireGuard) up?"),
    ("server does not support SSL", "The server has no TLS: set sslmode=disable in DATABASE_URL, or enable ssl on the server."),
    ("certificate", "Check sslmode, sslrootcert and sslcert in DATABASE_URL."),
    ("session is read-only", "No listed host accepts writes: target_session_attrs asks for one that does."),
    ("server is in hot standby mode", "No listed host is a primary: target_session_attrs asks for one."),
    ("definition of service", "Check PGSERVICE or `service` in DATABASE_URL; PGSERVICEFILE or ~/.pg_service.conf defines it."),
    ("service file", "Check PGSERVICEFILE or ~/.pg_service.conf."),
    ("server closed the connection unexpectedly", "Is a PostgreSQL server listening on this port?"),
    ("SASL authentication", "Check user and password in DATABASE_URL."),
)
"""Messages of libpq and psycopg, which are always in English, and the hint for each; the first that fits counts."""
_FULL = re.compile(r"too many (?:clients|connections)|connection slots are reserved")
_SERVER_SPOKE = re.compile(r"(?:\A|: )[^\W\d_]+: {2}(?=\S)")
"""The severity of a message of the server, in its language: FATAL is followed by two spaces."""
_TRACED = re.compile(r'C "([0-9A-Z]{5})"')
_PREFIXES = ("connection failed: ", "connection is bad: ")


def build_unreadable_error(fault: str) -> ConnectError:
    """Return the error for a URL that cannot be used."""
    return ConnectError(
        f"the database URL cannot be used: {fault}", hint=f"Use the form {EXAMPLE_URL}", state="Nothing was changed."
    )


def build_too_old_error(version: int, url: str) -> RefusedError:
    """Return the error for a server that is older than OLDEST_VERSION, or that reports such a version for compatibility."""
    return RefusedError(
        f"the server of {describe_database(url)} is PostgreSQL {version // _MAJOR}; "
        f"PostgreSQL {OLDEST_VERSION // _MAJOR} is the oldest supported version",
        hint="Upgrade the server: https://www.postgresql.org/docs/current/upgrading.html",
        state="Nothing was changed.",
    )


def build_connect_error(error: psycopg.Error | UnicodeError, url: str, parameters: dict[str, str]) -> ConnectError:
    """Return the error for a connection that failed; it never contains the password."""
    from tasks.runner.redaction import redact

    text = str(error).strip()
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    if isinstance(error, UnicodeError):
        text = f"the host name is not valid: {error.reason if isinstance(error, UnicodeEncodeError) else error}"
    sqlstate = getattr(error, "sqlstate", None) or ""
    if not sqlstate and _SERVER_SPOKE.search(text):
        # The second attempt is accepted if a session has ended meanwhile; then only a message in English shows the reason.
        sqlstate = _trace_sqlstate(url, parameters) or (TOO_MANY if _FULL.search(text) else "")
    by_text = next((hint for part, hint in _BY_TEXT if part in text), "")
    return ConnectError(
        f"cannot connect to {describe_database(url)}: {redact(text, url)}",
        hint=_BY_SQLSTATE.get(sqlstate) or by_text or "Check DATABASE_URL.",
        state="Nothing was changed.",
        sqlstate=sqlstate,
    )


def _trace_sqlstate(url: str, parameters: dict[str, str]) -> str:
    """Connect again with libpq's trace and return the SQLSTATE of the server's refusal; empty if there is none.

    The trace goes to a pipe and is not stored, because it contains what the client sent.
    https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQTRACE
    """
    deadline = time.monotonic() + float(parameters.get("connect_timeout") or 0)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    pgconn = pq.PGconn.connect_start(make_conninfo(url, **parameters).encode())
    try:
        pgconn.trace(writer)
        status: int = pq.PollingStatus.WRITING
        while status not in (pq.PollingStatus.OK, pq.PollingStatus.FAILED):
            wanted = [pgconn.socket]
            reading = status == pq.PollingStatus.READING
            left = max(deadline - time.monotonic(), 0)
            if not any(select.select(wanted if reading else [], [] if reading else wanted, [], left)):
                break
            status = pgconn.connect_poll()
        pgconn.untrace()
        found = _TRACED.findall(os.read(reader, 1 << 20).decode("ascii", "replace"))
        return found[-1] if found else ""
    except (psycopg.Error, OSError):
        # The trace is available on Linux only: elsewhere the text alone decides.
        return ""
    finally:
        with suppress(psycopg.Error):
            pgconn.finish()
        os.close(reader)
        os.close(writer)
