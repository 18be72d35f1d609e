"""Finding, freezing and ending processes."""

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.kit.waiting import wait_until

_KERNEL_SHOWS = Path("/proc/self/environ").exists()


def find_processes(mark: str, is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes with the mark in their command line or their environment for which `is_wanted` returns True.

    Processes that this account cannot read, or that end meanwhile, are left out.
    """
    found = []
    for pid in psutil.pids():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if _may_have(pid, mark.encode()) and is_wanted(process := psutil.Process(pid)):
                found.append(process)
    return found


def _may_have(pid: int, mark: bytes) -> bool:
    """Return False if /proc shows that a process does not have the mark: for hundreds of processes this is faster than psutil."""
    try:
        return any(mark in Path(f"/proc/{pid}/{file}").read_bytes() for file in ("cmdline", "environ"))
    except PermissionError:
        return False
    except OSError:
        return not _KERNEL_SHOWS


def end_processes(processes: Iterable[psutil.Process]) -> None:
    """Kill processes and wait until none of them runs."""
    killed = list(processes)
    for process in killed:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not any(is_running(process) for process in killed), what="the end of killed processes")


def is_running(process: psutil.Process | int) -> bool:
    """Return True if a process, or the one with an id, runs; a zombie does not."""
    try:
        found = psutil.Process(process) if isinstance(process, int) else process
        return bool(found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def freeze(pid: int) -> None:
    """Freeze a process and wait until it is stopped.

    A process that is not scheduled yet handles pending signals of lower numbers first, even those that were sent later.
    """
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, what="a process to stop")


def thaw(pid: int) -> None:
    """Resume a frozen process."""
    os.kill(pid, signal.SIGCONT)
