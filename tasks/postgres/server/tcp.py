"""TCP access to the embedded server: the port and the password, which stay the same over stop and start.

Both are in a file in the format of libpq's password file, beside the data directory, which only its owner can read. On TCP the
server asks for the password; on its socket it does not, because the permissions of the folder decide who may connect.
https://www.postgresql.org/docs/current/libpq-pgpass.html
"""

import errno
import os
import secrets
import socket
import stat
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tasks.postgres.server.accounts import Account
from tasks.postgres.server.cluster import SUPERUSER

HOST = "127.0.0.1"
HBA_FILE = "pg_hba.conf"
"""The file in the folder of the server that decides who may connect; the one in the data directory is not read."""

_FILE = "pgpass"
_PRIVATE = 0o600
_FIRST_PORT = 15432
_PORTS = 10_000
"""The ports from 15432 to 25431 are below those that systems use for outgoing connections."""
_ATTEMPTS = 100
_RULES = f"""\
# Written at each start of the server; changes are lost.
local all all trust
local replication all trust
host all all {HOST}/32 scram-sha-256
"""


@dataclass(frozen=True)
class TcpAccess:
    """The port of a server on 127.0.0.1, and the password of its superuser."""

    port: int
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """Return the URL of a database, for an application, psql or a GUI."""
        return f"postgresql://{SUPERUSER}:{quote(self.password, safe='')}@{HOST}:{self.port}/{quote(database, safe='')}"

    def build_settings(self) -> dict[str, str]:
        """Return the settings of the server; the file is found from the folder in which pg_ctl runs."""
        return {"listen_addresses": HOST, "hba_file": HBA_FILE, "password_encryption": "scram-sha-256"}


def read_access(home: Path) -> TcpAccess | None:
    """Return the port and the password of the server in `home`, or None if they were not chosen yet."""
    try:
        host, port, _, user, password = (home / _FILE).read_text(encoding="ascii").strip().split(":")
    except (FileNotFoundError, ValueError):
        return None
    if (host, user) != (HOST, SUPERUSER) or not port.isdigit() or not 0 < int(port) < 1 << 16 or not password.isalnum():
        return None
    return TcpAccess(int(port), password)


def prepare_access(home: Path, account: Account | None, *, port: int | None = None) -> TcpAccess | None:
    """Return port and password for the next start, and write the files that it needs; None if no port can be used.

    The port is the recorded one, unless another process uses it. `port`: that of a server which is running already.
    """
    known = read_access(home)
    port = port or choose_port(known.port if known else _FIRST_PORT + zlib.crc32(os.fsencode(home)) % _PORTS)
    if port is None:
        return None
    access = TcpAccess(port, known.password if known else secrets.token_hex(16))
    _write(home / HBA_FILE, _RULES, account)
    _write(home / _FILE, f"{HOST}:{port}:*:{SUPERUSER}:{access.password}\n", account)
    return access


def choose_port(wanted: int) -> int | None:
    """Return the wanted port or the next one that no process uses; None if none of them can be used."""
    for number in range(_ATTEMPTS):
        port = wanted + number
        if port < 1 << 16 and is_free(port):
            return port
    return None


def is_free(port: int) -> bool:
    """Return True if a server could listen on a port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As PostgreSQL does: a port whose former connections are closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                return False
            raise
    return True


def _write(path: Path, text: str, account: Account | None) -> None:
    """Replace a file by one that only the account of the server can read; do nothing if it is so already."""
    owner = os.geteuid() if account is None else account.uid
    try:
        status = path.lstat()
        if (stat.S_IMODE(status.st_mode), status.st_uid) == (_PRIVATE, owner) and path.read_text(encoding="ascii") == text:
            return
    except (FileNotFoundError, ValueError):
        pass
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(descriptor, _PRIVATE)
        if account is not None:
            os.fchown(descriptor, account.uid, account.gid)
        file.write(text)
    temporary.replace(path)
