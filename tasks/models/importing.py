"""Import the models of an application in a process of their own, and take the DDL that creates them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.catalog.classes import LEDGER_TABLES
from tasks.models.import_errors import describe_end, describe_fault, describe_timeout
from tasks.models.references import TableName
from tasks.programs.child_process import start_child
from tasks.runner.redaction import redact_child_text

_WORKER = Path(__file__).with_name("worker") / "program.py"
TIME_LIMIT_S = 60.0
"""How long the import may take."""
_MOST_OUTPUT = 4000
_LEDGER = tuple(("public", name) for name in LEDGER_TABLES)
_ANSWER, _OUTPUT = "answer.json", "output.txt"


@dataclass(frozen=True, slots=True)
class DdlStatement:
    """A statement that creates a part of the models; `target` is the table it is for, empty for other objects."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A table of the models: what its DDL does not show."""

    name: TableName
    constraints: frozenset[str]
    """The names of constraints that the models state; the server chooses the others."""
    indexes: frozenset[str]
    counting: str
    """The column that counts up because the models do not state otherwise; empty if none does."""
    columns: tuple[tuple[str, str], ...]
    """The columns with their types."""
    unstored: frozenset[str] = frozenset()
    """The generated columns of which the models do not state whether they are stored."""


@dataclass(frozen=True, slots=True)
class ReferredTable:
    """A table that a foreign key of the models names and that they do not have; `place` is the column of the key."""

    name: TableName
    place: str


@dataclass(frozen=True, slots=True)
class Models:
    """The models of an application as DDL."""

    references: tuple[str, ...]
    statements: tuple[DdlStatement, ...]
    tables: tuple[ModelTable, ...]
    referred: tuple[ReferredTable, ...] = ()
    excluded: tuple[TableName, ...] = ()
    """The tables of the models that are left out."""


def import_models(
    references: Sequence[str],
    *,
    server_version: int,
    exclude: Sequence[TableName] = (),
    paths: Sequence[str] = (),
    limit_s: float = TIME_LIMIT_S,
) -> Models:
    """Import modules from the current directory, `paths` and PYTHONPATH; return the DDL of their models for a server's version.

    The child process has the environment of this one. What the modules print is shown only if they fail. Raises RunnerError.
    """
    with start_import(references, exclude, paths=paths, limit_s=limit_s) as started:
        started.state_version(server_version)
        return started.finish()


class ModelsImport:
    """The import of models in a process that runs beside this one; the version of the server is stated when it is known."""

    def __init__(
        self,
        references: Sequence[str],
        exclude: Sequence[TableName],
        folder: Path,
        process: subprocess.Popen[bytes],
        limit_s: float,
    ) -> None:
        self.references, self.exclude = tuple(references), tuple(exclude)
        self._folder, self._process, self._limit_s = folder, process, limit_s
        self._until = time.monotonic() + limit_s
        self._models: Models | None = None

    def state_version(self, server_version: int) -> None:
        """State the version of the server for which the DDL is written."""
        _send(self._process, server_version)
        self._until = time.monotonic() + self._limit_s

    def check(self) -> None:
        """Raise RunnerError if the import has failed so far."""
        if self._process.poll() is not None:
            self.finish()

    def finish(self) -> Models:
        """Wait for the models; raises RunnerError."""
        if self._models is None:
            self._models = self._read()
        return self._models

    def _read(self) -> Models:
        try:
            code = self._process.wait(max(0.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise describe_timeout(self.references, self._limit_s, self._read_output()) from None
        answer = self._folder / _ANSWER
        if code or not answer.exists():
            raise describe_end(self.references, code, self._read_output())
        found = json.loads(answer.read_text(encoding="utf-8"))
        if "error" in found:
            raise describe_fault({name: _redact(value) for name, value in found.items()}, self._read_output())
        return _read_answer(self.references, found)

    def _read_output(self) -> str:
        return _read_output(self._folder / _OUTPUT)


@contextmanager
def start_import(
    references: Sequence[str],
    exclude: Sequence[TableName] = (),
    *,
    paths: Sequence[str] = (),
    limit_s: float = TIME_LIMIT_S,
) -> Iterator[ModelsImport]:
    """Start what `import_models` does, without the tables of this tool; the process is ended at the end.

    What it prints goes to a file: a process that it starts may have a pipe open for longer than it runs.
    """
    question = {
        "references": list(references),
        "exclude": [list(each) for each in (*exclude, *_LEDGER)],
        "paths": list(paths),
    }
    with tempfile.TemporaryDirectory(prefix="migrate-models-") as name:
        folder = Path(name)
        answer = str(folder / _ANSWER)
        with (
            (folder / _OUTPUT).open("wb") as stream,
            start_child(_WORKER, answer, stdin=subprocess.PIPE, stdout=stream, stderr=stream) as process,
        ):
            _send(process, question)
            yield ModelsImport(references, exclude, folder, process, limit_s)


def _send(process: subprocess.Popen[bytes], value: object) -> None:
    """Send a line of JSON; how a process ended that no longer reads is found when its answer is."""
    if process.stdin:
        with suppress(OSError):
            process.stdin.write(f"{json.dumps(value)}\n".encode())
            process.stdin.flush()


def _read_output(path: Path) -> str:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _MOST_OUTPUT))
        return redact_child_text(stream.read().decode(errors="replace").strip(), os.environ)


def _redact(value: Any) -> Any:
    return redact_child_text(value, os.environ) if isinstance(value, str) else value


def _read_answer(references: tuple[str, ...], found: dict[str, Any]) -> Models:
    tables = [
        ModelTable(
            (each["schema"], each["name"]),
            frozenset(each["constraints"]),
            frozenset(each["indexes"]),
            each["counting"],
            tuple((name, kind) for name, kind in each["columns"]),
            frozenset(each["unstored"]),
        )
        for each in found["tables"]
    ]
    return Models(
        references,
        tuple(DdlStatement(each["text"], each["for"]) for each in found["statements"]),
        tuple(tables),
        tuple(ReferredTable((each["schema"], each["table"]), each["place"]) for each in found["referred"]),
        tuple((schema, name) for schema, name in found["excluded"]),
    )
