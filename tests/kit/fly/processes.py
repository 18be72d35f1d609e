"""Processes of the stand-in, found by what they are and ended for good."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from tests.kit.waiting import wait_until


def find_processes(is_wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes that are wanted; those that may not be looked at, or end meanwhile, are not."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if is_wanted(process):
                found.append(process)
    return found


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
