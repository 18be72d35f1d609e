"""The lines of a machine are checked: a wrong one is an error that names the machine, not a traceback nor another kill."""

import json
from collections.abc import Iterator

import pytest

from tasks.fly.stream import RemoteRun
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import EVENT_FORMAT, LONGEST_LINE, FilesRead
from tasks.runner.signals import Stop
from tests.fly.operating import RemoteOperator, operate_remotely
from tests.kit.databases import Database
from tests.kit.fly.world import FlyWorld
from tests.kit.projects import Project

FILES = {"kind": "files_read", "versions": [], "checksums": [], "tool_version": "1", "ledger_format": 1}
WRONG = {
    "no number": "migrate-pid x",
    "all processes": "migrate-pid -1",
    "own group": "migrate-pid 0",
    "first process": "migrate-pid 1",
    "other digits": "migrate-pid \u0661\u0662",
    "two numbers": "migrate-pid 12 13",
    "command": "migrate-pid 12; id",
    "huge number": f"migrate-pid {'9' * 5000}",
    "depth": "[" * 200_000,
    "depth of an event": json.dumps(FILES)[:-1] + ', "x": ' + "[" * 200_000 + "]" * 200_000 + "}",
    "size": "x" * (LONGEST_LINE + 1),
    "number instead of text": json.dumps(FILES | {"tool_version": 1}),
    "text instead of number": json.dumps(FILES | {"ledger_format": "1"}),
    "truth instead of number": json.dumps(FILES | {"ledger_format": True}),
    "text instead of list": json.dumps(FILES | {"versions": "abc"}),
    "list of numbers": json.dumps(FILES | {"versions": [1]}),
    "lists of different lengths": json.dumps(FILES | {"versions": ["a"]}),
    "number too large": json.dumps(FILES | {"ledger_format": 2**63}),
    "missing field": '{"kind": "files_read"}',
    "key twice": json.dumps(FILES)[:-1] + ', "versions": []}',
    "not a number": '{"kind": "waiting", "version": "", "line": 1, "seconds_s": NaN, "blockers": []}',
    "infinite": '{"kind": "waiting", "version": "", "line": 1, "seconds_s": 1e999, "blockers": []}',
    "tuple of another length": '{"kind": "catalog_read", "environment": "", "database": "", "server_version": 1, '
    '"objects": [["table"]], "scripts": []}',
    "exit code 0": '{"kind": "error_raised", "message": "", "hint": "", "state": "", "file": "", "line": 1, "column": 1, '
    '"source": "", "sqlstate": "", "exit_code": 0}',
}
NOISE = ["", "<html>", "{", "null", "[1]", '{"kind": "unknown"}', '{"kind": ["files_read"]}', '{"a": 1, "a": NaN}', "9" * 5000]


class Answering:
    """A connection whose machine sends some lines, in chunks that end anywhere."""

    def __init__(self, *lines: str, chunk: int = 2**20) -> None:
        self._data = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
        self._chunk = chunk
        self.commands: list[str] = []

    def run(self, command: str, out_stream: object = None, **_options: object) -> object:
        """Send the lines, and keep the command."""
        self.commands.append(command)
        if out_stream is not None:
            for start in range(0, len(self._data), self._chunk):
                out_stream.write(self._data[start : start + self._chunk].decode("latin-1"))  # type: ignore[attr-defined]
        return type("Result", (), {"exited": 0})()


def run_lines(*lines: str, chunk: int = 2**20) -> tuple[RemoteRun, Answering]:
    connection = Answering(*lines, chunk=chunk)
    return RemoteRun(connection, "true", Stop(), 60, environment="staging"), connection


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_line_is_an_error_that_names_the_machine(name: str) -> None:
    run, connection = run_lines(WRONG[name])
    with pytest.raises(RunnerError) as failed:
        list(run)
    assert failed.value.message.startswith("the machine of staging sent ")
    assert len(failed.value.message) < 300
    assert "inv db.history --env=staging" in failed.value.hint
    run.end(Stop())
    assert run.pid == 0
    assert len(connection.commands) == 1


@pytest.mark.parametrize("line", NOISE)
def test_any_other_line_is_ignored(line: str) -> None:
    run, _ = run_lines(line, json.dumps(FILES))
    assert list(run) == [FilesRead((), (), "1", 1)]
    assert len(run.noise) <= 1


def test_a_process_id_is_read_once_and_the_signal_goes_to_it() -> None:
    run, connection = run_lines("migrate-pid 4711", "migrate-pid 12", json.dumps(FILES), chunk=3)
    assert len(list(run)) == 1
    run.end(Stop())
    assert run.pid == 4711
    assert "kill -TERM 4711" in connection.commands[-1]


def test_a_newer_format_is_reported_as_such_even_if_the_event_cannot_be_read() -> None:
    run, _ = run_lines(json.dumps(FILES | {"format": EVENT_FORMAT + 1, "versions": 7, "tool_version": "9"}))
    with pytest.raises(RefusedError, match=r"newer version of this tool \(9\)"):
        list(run)


@pytest.fixture
def remote(fly: FlyWorld, project: Project, database: Database) -> Iterator[RemoteOperator]:
    with operate_remotely(fly, project, database) as remote:
        yield remote


def test_a_command_ends_with_that_error(remote: RemoteOperator) -> None:
    machine = remote.deploy()
    (machine.app / "scripts" / "migrate.py").write_text(f"print({WRONG['list of numbers']!r}, flush=True)\n")
    result = remote.run_request()
    sent = "the machine of staging sent an event that cannot be read (files_read.versions: expected str, got 1)"
    assert sent in result.describe()
    assert not result.events
