"""A server for one test, which it can stop, kill, fill and configure."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from tasks.postgres.server import cluster, control
from tasks.postgres.server.cluster import Cluster
from tasks.postgres.server.folder_lock import lock
from tests.kit.servers import FAST_SETTINGS, SMALL_CLUSTER_OPTIONS, Server, find_own_settings
from tests.kit.waiting import wait_until


@dataclass
class OwnServer(Server):
    """A server for one test. A new one has the databases `postgres` and `template1`."""

    def start(self, **settings: str) -> None:
        """Start the server with these settings in addition to the configured ones."""
        control.start(self.cluster, {**FAST_SETTINGS, **find_own_settings(self.cluster.programs), **settings})

    def stop(self) -> None:
        """Stop the server in order and end all sessions."""
        self.close()
        control.stop(self.cluster)

    def kill(self) -> None:
        """Kill the server as in a crash of the machine, and wait until its processes have ended."""
        self.close()
        pid = cluster.read_pid(self.cluster)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not cluster.is_ready(self.cluster), what="the end of the killed server")

    def restart(self, **settings: str) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.start(**settings)

    def configure(self, **settings: str) -> None:
        """Change settings of the running server that need no restart, with `ALTER SYSTEM`."""
        for name, value in settings.items():
            self.administer(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        self.reload()

    def allow(self, *rules: str) -> None:
        """Replace pg_hba.conf by these lines, for new connections."""
        (self.cluster.data / "pg_hba.conf").write_text("".join(f"{rule}\n" for rule in rules))
        self.reload()

    def reload(self) -> None:
        """Reload the configuration and wait until the server has read it."""
        pid = cluster.read_pid(self.cluster)
        assert pid is not None
        log_size = self.cluster.log.stat().st_size
        os.kill(pid, signal.SIGHUP)

        def is_read() -> bool:
            return b"received SIGHUP" in self.cluster.log.read_bytes()[log_size:]

        wait_until(is_read, what="the server to read its configuration")


def copy_cluster(template: Cluster, home: Path) -> OwnServer:
    """Return a cluster in `home`, a copy of the template, which is made if it is missing; it is not started."""
    template.data.parent.mkdir(exist_ok=True)
    with lock(template.data.parent):
        if not template.data.exists():
            control.create(template, SMALL_CLUSTER_OPTIONS)
    home.mkdir(parents=True, exist_ok=True)
    status = template.data.stat()
    os.chown(home, status.st_uid, status.st_gid)
    own = Cluster(home.absolute() / "data", template.programs)
    subprocess.run(["cp", "-a", str(template.data), str(own.data)], check=True)
    return OwnServer(own)


def remove_server(server: OwnServer) -> None:
    """Stop the server, if it runs, and remove its data."""
    server.stop()
    shutil.rmtree(server.cluster.data)
