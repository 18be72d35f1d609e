"""Processes of the machine: found by what they are, frozen, and ended for good."""

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from tests.kit.waiting import wait_until

_KERNEL_SHOWS = Path("/proc/self/environ").exists()


def find_processes(mark: str, is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes that are wanted, which have the mark in their command line or their environment.

    Those that may not be looked at, or end meanwhile, are not.
    """
    found = []
    for pid in psutil.pids():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if _may_have(pid, mark.encode()) and is_wanted(process := psutil.Process(pid)):
                found.append(process)
    return found


def _may_have(pid: int, mark: bytes) -> bool:
    """Look for a mark as the kernel shows it, where it does: for hundreds of processes that is much quicker than psutil."""
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


def is_running(process: psutil.Process) -> bool:
    """Tell whether a process runs, and is not merely waiting for its parent to take note of its end."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def freeze(pid: int) -> None:
    """Stop a process from doing anything, and wait until it stands still.

    One that has not come to run yet takes signals of lower numbers first, those sent after this one too.
    """
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, what="a process to stand still")


def thaw(pid: int) -> None:
    """Let a frozen process go on."""
    os.kill(pid, signal.SIGCONT)
