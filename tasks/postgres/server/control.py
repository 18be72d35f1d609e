"""Create, start and stop a PostgreSQL server of any version with its own programs."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.postgres.server.accounts import Account, AccountError, choose_account, find_owner, open_passage, open_programs
from tasks.postgres.server.cluster import (
    PORT,
    SOCKET_PREFIX,
    SUPERUSER,
    Cluster,
    ServerError,
    is_postmaster,
    is_ready,
    read_log_tail,
    read_pid,
)
from tasks.postgres.server.tcp import TcpAccess

TIMEOUT_S = 60

_DEAD_PID = 2**31 - 1


def create(cluster: Cluster, options: Sequence[str]) -> None:
    """Create the data directory with initdb.

    It is created under another name and renamed when it is complete, so that a killed process leaves no incomplete directory.
    Raises ServerError if it cannot be created.
    """
    home = cluster.data.parent
    account = _choose_account(home)
    unfinished = cluster.data.with_name(cluster.data.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    if account is not None:
        os.chown(home, account.uid, account.gid)
        open_programs(cluster.programs.parent, account)
        open_passage(unfinished, account)
    command = ["initdb", "-D", unfinished.name, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", *options]
    result = _run(cluster, command, account)
    if result.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise ServerError(f"PostgreSQL's data directory cannot be created in {home}: {result.stderr.strip()}")
    unfinished.rename(cluster.data)


def start(cluster: Cluster, settings: Mapping[str, str] | None = None, access: TcpAccess | None = None) -> None:
    """Start the server and wait until it accepts connections; it keeps running when this process ends.

    It listens on 127.0.0.1 too if there is an `access`. Only one process may call this at a time. Does nothing if the server is
    ready. Raises ServerError if it does not start.
    """
    await_running(cluster)
    if is_ready(cluster):
        return
    account = find_owner(cluster.data)
    if account is not None:
        _pass_on(cluster.data.parent, account)
        open_programs(cluster.programs.parent, account)
        open_passage(cluster.data, account)
    folder = cluster.socket_folder
    if folder != cluster.data:
        _make_private(folder, account)
    _disarm_stale_locks(cluster)
    if access:
        _link_usual_socket(cluster, access.port, account)
    # Relative to the data directory, so that its path needs no quoting in this list.
    sockets = "." if folder == cluster.data else folder
    fixed = [f"unix_socket_directories={sockets}", cluster.mark]
    tcp = access.build_settings() if access else {"listen_addresses": ""}
    numbered = {**(settings or {}), **tcp, "port": str(access.port if access else PORT)}
    own = [f"{name}={value}" for name, value in numbered.items()]
    _launch(cluster, " ".join(f"-c {shlex.quote(setting)}" for setting in own + fixed), account)


def stop(cluster: Cluster) -> bool:
    """Stop the server, ending its sessions, and return True if it was running.

    Raises ServerError if it does not stop.
    """
    pid = read_pid(cluster)
    if pid is None or not (is_ready(cluster) or is_postmaster(pid, cluster)):
        return False
    command = ["pg_ctl", "stop", "-D", cluster.data.name, "-m", "fast", "-w", "-t", str(TIMEOUT_S)]
    result = _run(cluster, command, find_owner(cluster.data))
    # pg_ctl waits for the end of the lock file, after which the process ends.
    deadline = time.monotonic() + (TIMEOUT_S if result.returncode == 0 else 1)
    while is_postmaster(pid, cluster):
        if time.monotonic() > deadline:
            raise ServerError(f"The server in {cluster.data} does not stop: {result.stderr}", f"The log is {cluster.log}")
        time.sleep(0.01)
    if cluster.socket_folder != cluster.data:
        shutil.rmtree(cluster.socket_folder, ignore_errors=True)
    return True


def _pass_on(home: Path, account: Account) -> None:
    """Make the server's account the owner of a private folder of root, which it may not enter otherwise."""
    status = home.stat()
    if status.st_uid == 0 and not status.st_mode & 0o077:
        os.chown(home, account.uid, account.gid)


def await_running(cluster: Cluster) -> None:
    """Wait for a server that is starting or stopping."""
    deadline = time.monotonic() + TIMEOUT_S
    while not is_ready(cluster) and (pid := read_pid(cluster)) is not None and is_postmaster(pid, cluster):
        if time.monotonic() > deadline:
            raise ServerError(
                f"The server in {cluster.data} (pid {pid}) is running, but has accepted no connection for {TIMEOUT_S} s."
                + read_log_tail(cluster),
                f"Wait for it, or end it with: kill -QUIT {pid}",
            )
        time.sleep(0.05)


def _disarm_stale_locks(cluster: Cluster) -> None:
    """Write an impossible process id to lock files that a crash left behind.

    Process ids are reused after a reboot or in a container, and PostgreSQL does not start while any process has the id in its
    lock file (https://www.postgresql.org/docs/current/server-start.html). The files are kept: from the shared memory that
    postmaster.pid names, PostgreSQL detects backends that are still running.
    """
    for path in (cluster.data / "postmaster.pid", *cluster.socket_folder.glob(f"{SOCKET_PREFIX}*.lock")):
        if path.exists():
            path.write_text(re.sub(r"\A\d+", str(_DEAD_PID), path.read_text()))


def _link_usual_socket(cluster: Cluster, port: int, account: Account | None) -> None:
    """Keep the socket reachable under the usual port, which URLs from before the server had TCP contain."""
    link = cluster.socket_folder / f"{SOCKET_PREFIX}{PORT}"
    link.unlink(missing_ok=True)
    if port != PORT:
        link.symlink_to(f"{SOCKET_PREFIX}{port}")
        if account is not None:
            os.chown(link, account.uid, account.gid, follow_symlinks=False)


def _launch(cluster: Cluster, options: str, account: Account | None) -> None:
    where = ["-D", cluster.data.name, "-l", cluster.log.name]
    command = ["pg_ctl", "start", *where, "-w", "-t", str(TIMEOUT_S), "-o", options]
    deadline = time.monotonic() + TIMEOUT_S
    log_size = cluster.log.stat().st_size if cluster.log.exists() else 0
    while (result := _run(cluster, command, account)).returncode != 0:
        reason = read_log_tail(cluster, log_size) or f"\n  {result.stderr.strip()}"
        # The backends of a killed server need a moment to exit.
        if "shared memory block" not in reason or time.monotonic() > deadline:
            raise ServerError(f"PostgreSQL does not start in {cluster.data}:{reason}", f"The log is {cluster.log}")
        log_size = cluster.log.stat().st_size
        time.sleep(0.1)


def _run(cluster: Cluster, command: Sequence[str], account: Account | None) -> "subprocess.CompletedProcess[str]":
    """Run one of PostgreSQL's programs beside the data directory, without the caller's environment.

    So its messages are in English, PG* variables have no effect, and the server keeps no password from a variable.
    """
    program, *arguments = command
    drop = {} if account is None else account.subprocess_arguments()
    try:
        return subprocess.run(
            [str(cluster.programs / program), *arguments],
            cwd=cluster.data.parent,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            **drop,
        )
    except OSError as error:
        raise ServerError(f"{cluster.programs / program} cannot be run: {error}") from error


def _choose_account(home: Path) -> Account | None:
    try:
        return choose_account(home)
    except AccountError as error:
        raise ServerError(
            f"PostgreSQL does not run as root, and {error}",
            "Run this as an ordinary user, or change the owner of the folder to one.",
        ) from error


def _make_private(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    uid = os.geteuid() if account is None else account.uid
    if account is not None and folder.lstat().st_uid == 0:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != uid or status.st_mode & 0o077:
        raise ServerError(
            f"{folder} already exists and belongs to another account.", f"Remove it: rm -rf {shlex.quote(str(folder))}"
        )
