#!/usr/bin/env python3
"""The command line of the runner, without Invoke: for servers, and for the release_command of Fly."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))


def run() -> int:
    """Run the command and return its exit code.

    Imported modules are never freed, so they are excluded from garbage collection. Collecting them, during the imports and again
    at exit, takes a fifth of the time of a run with nothing to do. https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.disable()
    from tasks.console.script import main

    gc.freeze()
    gc.enable()
    try:
        return main(sys.argv[1:], os.environ, PROJECT)
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
