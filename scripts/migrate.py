#!/usr/bin/env python3
"""The runner without Invoke: what runs on a Fly machine, and in release_command."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def run() -> int:
    """Run the command with as little garbage collection as it needs.

    What is imported stays, so looking through it for garbage, while it is imported and once more at the end, is a fifth of the
    time of a run with nothing to do. https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.disable()
    from tasks.console.script import main

    gc.freeze()
    gc.enable()
    try:
        return main(sys.argv[1:], os.environ)
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(run())
