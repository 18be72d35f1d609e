"""The process in which Alembic runs: requests and answers, one JSON object a line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

from tasks.alembic_import.places import AlembicProject
from tasks.programs.child_process import start_child
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import show_path
from tasks.runner.redaction import redact, redact_child_text

_CHILD = Path(__file__).with_name("child.py")
_STATE = "Nothing was written."
_SCHEME = re.compile(r"(postgres(?:ql)?(?:\+\w+)?)://")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_UNUSABLE = "postgresql://offline@127.0.0.1:1/offline"
"""An address at which nothing listens: the child process connects to no database while it renders."""
_URL_NAME = "DATABASE_URL"


@dataclass(frozen=True, slots=True)
class AlembicFault:
    """An error of env.py or of a revision: the last line of its traceback, and where it was raised."""

    message: str
    file: str = ""
    line: int = 0
    kind: str = ""
    text: str = ""
    raised: bool = False
    """Whether a `raise` in that file raised it."""

    def __str__(self) -> str:
        place = f"{show_path(Path(self.file))}:{self.line}: " if self.file else ""
        return f"{place}{self.message}"


class AlembicError(Exception):
    """Alembic, env.py or a revision raised an error in the child process."""

    def __init__(self, fault: AlembicFault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class AlembicProcess:
    """A child process with Alembic in a project; to be used in a `with`.

    With the `conninfo` of a scratch database every connection leads there; without it, none is possible. One that `records`
    answers with what each revision executes.
    """

    def __init__(self, project: AlembicProject, *, conninfo: str = "", records: bool = False, timeout_s: float = 600) -> None:
        self._project = project
        self._records = records
        self._conninfo = conninfo
        self._timeout_s = timeout_s
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the block
        self._url = compose_url(conninfo) if conninfo else _UNUSABLE
        self._is_late = False
        self._stack = ExitStack()
        self._stack.enter_context(self._errors)
        self._process = self._stack.enter_context(
            start_child(
                _CHILD,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=replace_urls(os.environ, self._url),
                cwd=project.folder,
                text=True,
                encoding="utf-8",
            )
        )

    def __enter__(self) -> AlembicProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def open(self) -> dict[str, Any]:
        """Return what Alembic reads in the project: its revisions; raises RefusedError without Alembic, and AlembicError."""
        project = self._project
        answer = self.ask(
            {
                "ini": str(project.ini or ""),
                "toml": str(project.toml or ""),
                "script": str(project.script or ""),
                "versions": str(project.versions or ""),
                "paths": list(dict.fromkeys((str(project.folder), str(Path.cwd())))),
                "arguments": list(project.arguments),
                "url": self._url,
                "conninfo": self._conninfo,
                "records": self._records,
            }
        )
        if "missing" in answer:
            raise RefusedError(
                f"the revisions are rendered by Alembic, and {sys.executable} has no package {answer['missing']}",
                hint="Install it: pip install alembic",
                state=_STATE,
            )
        return answer

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request; raises AlembicError for an error in the project."""
        assert self._process.stdin
        assert self._process.stdout
        timer = Timer(self._timeout_s, self._stop)
        timer.daemon = True
        timer.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
            timer.join()
        if not line:
            late = f"did not answer within {self._timeout_s:g} s (--timeout), and was stopped"
            end = late if self._is_late else f"ended: {self._read_last_error()}"
            raise AlembicError(AlembicFault(f"the process of Alembic {end}"))
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AlembicError(read_fault(answer["error"], self._conninfo))
        return answer

    def _stop(self) -> None:
        self._is_late = True
        self._process.kill()

    def _read_last_error(self) -> str:
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return _redact(lines[-1], self._conninfo) if lines else f"exit code {self._process.returncode}"


def read_fault(error: Mapping[str, Any], conninfo: str = "") -> AlembicFault:
    """Return an error from an answer."""
    return AlembicFault(
        _redact(error["message"], conninfo),
        error.get("file", ""),
        error.get("line", 0),
        error.get("kind", ""),
        _redact(error.get("text", ""), conninfo),
        error.get("raised", False),
    )


def _redact(text: str, conninfo: str) -> str:
    """Return a text without secrets, and without the addresses of objects, which are others each time: it may be in a file."""
    return _ADDRESS.sub("", redact(redact_child_text(text, os.environ), conninfo))


def replace_urls(environ: Mapping[str, str], url: str) -> dict[str, str]:
    """Return a process environment in which every address of a PostgreSQL database is this one, with its own scheme.

    env.py and the modules that it imports usually read DATABASE_URL, and fail without it.
    """
    address = url.partition("://")[2]
    changed = {name: f"{match[1]}://{address}" for name, value in environ.items() if (match := _SCHEME.match(value))}
    return {**environ, _URL_NAME: url, **changed, "PYTHONUTF8": "1"}


def compose_url(conninfo: str) -> str:
    """Return the URL of a connection for SQLAlchemy and the drivers; a socket is named in its query."""
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    user, password = quote(parts.get("user", ""), safe=""), quote(parts.get("password", ""), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    host, port, database = parts.get("host", ""), parts.get("port", "5432"), quote(parts.get("dbname", ""), safe="")
    if host.startswith("/") or not host:
        query = f"?host={quote(host, safe='/')}&port={port}" if host else ""
        return f"postgresql://{login}/{database}{query}"
    return f"postgresql://{login}{host}:{port}/{database}"
