"""Invoke's entry point: the collections that `inv` has.

Invoke loads this file as the module `tasks`; the path below makes the folder beside it importable under that name too, so that
`tasks.db` is tasks/db.py under Invoke as well. An old Python has to be able to read this file, to get a message instead of a
SyntaxError.
"""

import os
import sys
from pathlib import Path

from invoke.collection import Collection
from invoke.exceptions import Exit

OLDEST_PYTHON = (3, 11)
if sys.version_info[:2] < OLDEST_PYTHON:
    needed = ".".join(map(str, OLDEST_PYTHON))
    raise Exit(f"ERROR: Python {needed} or newer is required; this is {sys.version.split()[0]} ({sys.executable})", code=1)

__path__ = [str(Path(__file__).parent / "tasks")]

sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)  # Invoke turns it off, which makes each start slower

if "--complete" in sys.argv:
    from tasks.commands.shell.completion import answer

    print(answer(sys.argv[1:], Path(__file__).parent, os.environ, Path(__file__).stem) or "", end="")
    raise Exit

try:
    from tasks.console.streams import guard_streams

    guard_streams()
    from tasks import alerts, db, env
    from tasks.commands.shell.program import take_over

    take_over()
except ImportError as error:
    from tasks.console.boundary import explain_import

    explained = explain_import(error)
    raise Exit(f"ERROR: {explained.message}\n  {explained.hint}", code=explained.exit_code) from error

namespace = Collection(db, env, alerts)
