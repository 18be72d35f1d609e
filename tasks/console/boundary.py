"""What a program reports instead of a traceback: an error of the server, of a file, or of the installation."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from tasks.runner.errors import RunnerError

_NEEDED = ("psycopg", "pglast")
_INSTALL = "python3 -m pip install --require-hashes --only-binary :all: -r requirements.lock"
_UNKNOWN_STATE = "`status` shows the state of the database."


def check_packages() -> None:
    """Raise RunnerError if a package that a run needs is not installed, even if this run would not use it."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise RunnerError(
            f"this Python ({sys.executable}) lacks the package{'s' if len(missing) > 1 else ''} {' and '.join(missing)}",
            hint=f"Install what the tool needs: {_INSTALL}",
            state="Nothing was changed.",
        )


def explain(error: Exception, url: str = "", *, state: str = _UNKNOWN_STATE) -> RunnerError | None:
    """Return an error that left an operation as one for users; None for one that is a fault of this program."""
    if isinstance(error, ImportError):
        return explain_import(error, state)
    if isinstance(error, OSError):
        return _explain_system(error, state)
    if "psycopg" in sys.modules:
        import psycopg

        if isinstance(error, psycopg.Error):
            from tasks.runner.planning.failures import describe_server_error

            return describe_server_error(error, url, state)
    return None


def explain_import(error: ImportError, state: str = _UNKNOWN_STATE) -> RunnerError:
    """Return the error for a package that is missing or broken."""
    package = (error.name or "").partition(".")[0]
    subject = f"the package {package} cannot be imported" if package else "a package cannot be imported"
    return RunnerError(
        f"{subject} by this Python ({sys.executable}): {' '.join(str(error).split())}",
        hint=f"Install what the tool needs: {_INSTALL}",
        state=state,
    )


def _explain_system(error: OSError, state: str) -> RunnerError:
    where = f"{error.filename}: " if error.filename else ""
    return RunnerError(
        f"{where}{error.strerror or str(error) or type(error).__name__}",
        hint="Fix the cause, then run the same command again.",
        state=state,
    )
