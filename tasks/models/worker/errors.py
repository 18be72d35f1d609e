"""The errors of models that cannot be used, as the answer of the worker program has them."""

from __future__ import annotations

import importlib
import sysconfig
import traceback
from os.path import realpath
from pathlib import Path
from typing import Any

_MOST_TEXT = 1000


class WorkerError(Exception):
    """Models that cannot be used: a word for the kind of the error, and what its message needs."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.answer = {"error": kind, **details}


def describe(kind: str, error: BaseException, **details: Any) -> WorkerError:
    """Return an error of the application's code, with its place there and the last line of the traceback."""
    last = traceback.format_exception_only(error)[-1].strip()
    last = last if len(last) <= _MOST_TEXT else f"{last[:_MOST_TEXT]}…"
    file, line, source = _find_place(error)
    return WorkerError(kind, last=last, file=file, line=line, source=source, **details)


def _find_place(error: BaseException) -> tuple[str, int, str]:
    import sqlalchemy

    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0, (error.text or "").strip()
    libraries = tuple({realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
    inner = (str(Path(__file__).parent), "<", *(str(Path(str(module.__file__)).parent) for module in (importlib, sqlalchemy)))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(inner)]
    own = [frame for frame in frames if not realpath(frame.filename).startswith(libraries)]
    chosen = (own or frames)[-1:]
    return (chosen[0].filename, chosen[0].lineno or 0, chosen[0].line or "") if chosen else ("", 0, "")
