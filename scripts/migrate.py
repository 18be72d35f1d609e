#!/usr/bin/env python3
"""The command line of the runner, without Invoke: for servers, and for the release_command of Fly.

This file has to be readable for every Python 3, so that an old one gets a message instead of a SyntaxError.
"""

import gc
import json
import os
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))


def refuse_old_python() -> None:
    """Exit with 1 if this Python is too old: with a line on stderr and, with --json, an event on stdout."""
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return
    needed, found = (".".join(str(part) for part in version[:3]) for version in (OLDEST_PYTHON, sys.version_info))
    message = "Python {} or newer is required; this is {} ({})".format(needed, found, sys.executable)  # noqa: UP032
    hint = "Run the same command with a newer Python."
    if "--json" in sys.argv:
        event = {"kind": "error_raised", "message": message, "hint": hint, "state": "Nothing was changed.", "exit_code": 1}
        print(json.dumps(dict(event, file="", line=0, column=0, source="", sqlstate="")))
    sys.exit("ERROR: {}\n  {}".format(message, hint))  # noqa: UP032


def run() -> int:
    """Run the command and return its exit code.

    Imported modules are never freed, so they are excluded from garbage collection. Collecting them, during the imports and again
    at exit, takes a fifth of the time of a run with nothing to do. https://docs.python.org/3/library/gc.html#gc.freeze
    """
    refuse_old_python()
    gc.disable()
    from tasks.console.script import main
    from tasks.console.streams import guard_streams, report_lost_output

    guard_streams()
    gc.freeze()
    gc.enable()
    try:
        code = main(sys.argv[1:], os.environ, PROJECT)
        return code or int(report_lost_output())
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
