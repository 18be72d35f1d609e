"""The client of the worker program: chunks of the history go to whichever worker is free, and verdicts are taken in any order."""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tasks.rehearsal.events import MigrationVerified
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.one_file import VerifyOptions
from tasks.rehearsal.verify.workers.worker import VerifyTask
from tasks.runner.events import from_json

_PROJECT = Path(__file__).resolve().parents[4]
_FEWEST = 8
"""The fewest migrations for which a process is started: for fewer, its start takes longer than they do."""
_PARTS = 4
"""The chunks of each process: the last ones take longer, because the schema is larger."""
_BLOCK = 1 << 16
_PATIENCE_S = 10.0
"""How long a worker may take to drop its databases before it is killed."""

Chunk = tuple[str, ...]


def plan_chunks(versions: Sequence[str], processes: int) -> list[Chunk]:
    """Return the parts of the versions for workers; none if one process does it as fast."""
    processes = _count_workers(len(versions), processes)
    if processes < 2:
        return []
    size = max(_FEWEST // 2, -(-len(versions) // (processes * _PARTS)))
    return [tuple(versions[start : start + size]) for start in range(0, len(versions), size)]


def _count_workers(versions: int, processes: int) -> int:
    return min(processes, versions // _FEWEST)


class VerifyWorkers:
    """The workers of one verification; to be used in a `with`, at whose end they have dropped their databases and ended.

    The versions of a worker that fails or ends are not verified by the others: there is no verdict for them.
    """

    def __init__(
        self, server: ScratchServer, selection: Selection, options: VerifyOptions, chunks: Sequence[Chunk], processes: int
    ) -> None:
        self._server = server
        self._chunks = deque(chunks)
        self._awaited = {version for chunk in chunks for version in chunk}
        self._verdicts: dict[str, MigrationVerified] = {}
        self._workers: list[_WorkerProcess] = []
        task = VerifyTask(
            server.url, server.without, server.embedded, not server.limited, server.target_version, selection, options
        )
        self._task = pickle.dumps(task)
        self._count = _count_workers(len(self._awaited), processes)

    def __enter__(self) -> VerifyWorkers:
        try:
            for _ in range(self._count):
                self._workers.append(_WorkerProcess(self._task))
                self._hand_out(self._workers[-1])
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def take(self, version: str) -> MigrationVerified | None:
        """Return the verdict of a version, and wait for it if necessary; None if no worker has it."""
        while version in self._awaited and version not in self._verdicts:
            self._receive()
        return self._verdicts.pop(version, None)

    def finish(self) -> None:
        """Wait until all workers have ended by themselves, and note the stand-ins of extensions that they used."""
        while self._workers:
            self._receive()

    def _receive(self) -> None:
        """Wait for a line of any worker, and handle it."""
        ready, _, _ = select.select(self._workers, [], [])
        for worker in ready:
            for line in worker.read_lines():
                self._handle(worker, line)
            if worker.is_over:
                self._awaited -= set(worker.awaited)
                self._workers.remove(worker)
                worker.wait()
        if not self._workers:
            self._awaited.clear()

    def _handle(self, worker: _WorkerProcess, line: bytes) -> None:
        if not line.startswith(b"["):
            verdict = from_json(line.decode())
            assert isinstance(verdict, MigrationVerified)
            self._verdicts[verdict.version] = verdict
            worker.awaited.remove(verdict.version)
        elif worker.is_finishing:
            self._server.note_stand_ins(json.loads(line))
        else:
            self._hand_out(worker)

    def _hand_out(self, worker: _WorkerProcess) -> None:
        worker.request(self._chunks.popleft() if self._chunks else ())

    def _end(self) -> None:
        """End the workers that still run; what one that had to be killed left is swept now, or by the next command."""
        ending, self._workers = self._workers, []
        for worker in ending:
            worker.terminate()
        for worker in ending:
            worker.wait()
        if ending:
            self._server.sweep()


class _WorkerProcess:
    """A running worker program, the versions that it has to verify, and what it has written of the next line."""

    def __init__(self, task: bytes) -> None:
        # In a session of its own, so that Ctrl-C reaches only this process, which then ends the program.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasks.rehearsal.verify.workers.worker"],
            cwd=_PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._rest = b""
        self.awaited: list[str] = []
        self.is_finishing = self.is_over = False
        self._write(task)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there is something to read."""
        return self._output.fileno()

    def request(self, versions: Chunk) -> None:
        """Request the verdicts of these versions; without any, request the end."""
        self.awaited = list(versions)
        if versions:
            self._write(json.dumps(versions).encode() + b"\n")
        else:
            self.is_finishing = True
            with suppress(OSError):
                self._input.close()

    def read_lines(self) -> Iterator[bytes]:
        """Yield the lines that are complete; at the end of the output, the worker is over."""
        block = os.read(self.fileno(), _BLOCK)
        self.is_over = not block
        *lines, self._rest = (self._rest + block).split(b"\n")
        yield from lines

    def terminate(self) -> None:
        """Request the end, whatever it is doing."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended; kill it if that takes too long."""
        for pipe in (self._input, self._output):
            with suppress(OSError):
                pipe.close()
        try:
            self._process.wait(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _write(self, text: bytes) -> None:
        """Write to its input; if it has ended, the end of its output shows that."""
        with suppress(OSError):
            self._input.write(text)
            self._input.flush()
