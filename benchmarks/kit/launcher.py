"""Run one process, and write its seconds, its processor seconds and the peak of its memory in bytes to a file.

Linux counts the memory of the process that starts another one in the peak of the new one, until its exec, and so this process is
small: it imports nothing else, and `python -I -S` starts it. https://man7.org/linux/man-pages/man2/getrusage.2.html
"""

import os
import sys
import time


def main(report: str, *arguments: str) -> int:
    """Run the process with these arguments, write the report, and return its exit code."""
    start = time.perf_counter()
    child = os.posix_spawnp(arguments[0], arguments, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(report, "w") as file:  # noqa: PTH123  # pathlib would triple the memory of this process
        file.write(f"{seconds} {usage.ru_utime + usage.ru_stime} {peak}")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
