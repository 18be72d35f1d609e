"""Wait until a database accepts connections: in a script, a container or CI, before the first command that needs it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from tasks.commands.context import exit_on_error
from tasks.commands.local.reach import reach_database
from tasks.config.environments import load_environment
from tasks.console.cells import clean
from tasks.runner.database.session import connect
from tasks.runner.errors import ConnectError, RunnerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.options import Options

_PAUSE_S = 0.25
_LONGEST_TRY_S = 5.0
_LONGEST_S = 24 * 3600
_NOT_YET = frozenset({"57P01", "57P02", "57P03", "53300"})
"""The SQLSTATEs of a server that starts, stops or recovers, or has no free connection."""
_NOT_THERE = (
    "Connection refused",
    "Connection reset",
    "No such file or directory",
    "timeout expired",
    "Network is unreachable",
    "No route to host",
    "failed to resolve host",
    "could not translate host name",
    "server closed the connection unexpectedly",
    "starting up",
)
"""Messages of libpq about a server that does not answer, or a name that is not known yet."""


def wait(env: str, timeout: str, options: Options) -> None:
    """Wait until an environment's database accepts a connection.

    Another refusal than that of a server that is not ready, such as a wrong password or a missing database, ends the wait: time
    does not change it.
    """
    with exit_on_error(rehearses=True):
        limit_s = _read_limit(timeout)
        environment = load_environment(env)
        with reach_database(environment, options) as parameters:
            _await(parameters, limit_s)
        print("✅ The database accepts connections")


def _await(parameters: Mapping[str, str], limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    shown = ""
    while True:
        left = deadline - time.monotonic()
        try:
            connect(make_conninfo("", **parameters), name="migrate-wait", limit_s=max(min(left, _LONGEST_TRY_S), 1)).close()
            return
        except ConnectError as error:
            if not is_temporary(error):
                raise
            if time.monotonic() + _PAUSE_S >= deadline:
                raise RunnerError(
                    f"the database accepted no connection within {limit_s:g} s: {error.message}",
                    hint=f"{error.hint}\nTo wait longer: --timeout={round(limit_s * 2) or 1}",
                    state="Nothing was changed.",
                ) from error
            if error.message != shown:
                shown = error.message
                print(f"⏳ Waiting up to {limit_s:g} s: {clean(shown)}", file=sys.stderr, flush=True)
        time.sleep(_PAUSE_S)


def is_temporary(error: ConnectError) -> bool:
    """Return True for the error of a server that may accept a connection later."""
    if error.sqlstate:
        return error.sqlstate in _NOT_YET
    return any(text in error.message for text in _NOT_THERE)


def _read_limit(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_S:
        raise UsageError(
            f"--timeout={text} is not a valid duration",
            hint="Use a number of seconds greater than 0, for example --timeout=30",
            state="Nothing was changed.",
        )
    return seconds
