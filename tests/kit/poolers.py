"""PgBouncer in transaction pooling, as hosted PostgreSQL puts it in front of a database."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tasks.postgres.server import accounts
from tasks.postgres.server.cluster import SUPERUSER
from tests.kit.databases import Database
from tests.kit.waiting import wait_until

_PORT = 6432
_CONFIGURATION = """\
[databases]
* = host={socket_folder}

[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {home}
auth_type = trust
auth_file = {home}/users
logfile = {home}/log
admin_users = {superuser}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
query_wait_timeout = 0
"""


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    home: Path
    database: Database

    @property
    def url(self) -> str:
        """Return the URL that reaches the database through the pooler."""
        return self.url_of(self.database.name)

    def url_of(self, name: str) -> str:
        """Return the URL of any database; `pgbouncer` is the console of the pooler."""
        return f"postgresql://{SUPERUSER}@/{name}?host={quote(str(self.home), safe='')}&port={_PORT}"

    def reconnect(self) -> None:
        """Replace the sessions on the server, which keep the settings that they started with."""
        with psycopg.connect(self.url_of("pgbouncer"), autocommit=True) as console:
            console.execute("RECONNECT")


@contextmanager
def start_pgbouncer(home: Path, database: Database, pool_size: int) -> Iterator[Pooler]:
    """Run PgBouncer in front of a database; skip the test if it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed")
    home.mkdir(mode=0o700)
    configuration = home / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            home=home,
            port=_PORT,
            superuser=SUPERUSER,
            socket_folder=database.server.cluster.socket_folder,
            pool_size=pool_size,
        )
    )
    (home / "users").write_text(f'"{SUPERUSER}" ""\n')
    account = accounts.choose_account(home)
    if account is not None:
        os.chown(home, account.uid, account.gid)
    drop = {} if account is None else account.subprocess_arguments()
    with subprocess.Popen([program, "--quiet", str(configuration)], stdin=subprocess.DEVNULL, **drop) as process:
        pooler = Pooler(home, database)
        try:
            wait_until(lambda: _answers(pooler, process), what="pgbouncer")
            yield pooler
        finally:
            process.kill()


def _answers(pooler: Pooler, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, f"pgbouncer ended:\n{(pooler.home / 'log').read_text()}"
    try:
        psycopg.connect(pooler.url).close()
    except psycopg.OperationalError:
        return False
    return True
