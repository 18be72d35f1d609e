"""A forked program behaves like one that was started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runner.identity import TOOL_VERSION
from tests.kit.forkserver import Running, run_process, start_process
from tests.kit.processes import is_running
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import LIMIT_S, wait_until

FORKED = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "NAME": "Übung"}
STARTED = FORKED | {"PYTHONUTF8": "0"}
"""A program with a variable that Python reads when it starts is not forked."""
PROGRAMS = {
    "the end": "",
    "streams": "print('to you'); print('aside', file=sys.stderr); print(sys.stdin.read().upper())",
    "a number": "sys.exit(3)",
    "a reason": "sys.exit('no')",
    "no reason": "sys.exit(None)",
    "unflushed output": "sys.stdout.write('half a line'); sys.exit(1)",
    "folder and environment": "print(os.getcwd(), sys.argv, sys.path[0], os.environ['NAME'], len(os.environ), __name__)",
    "letters": "print(sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, sys.stdin.errors, 'ß')",
    "no terminal": "print([os.isatty(number) for number in range(3)], sys.stdout.line_buffering, sys.stderr.line_buffering)",
    "threads": "threading.Thread(target=lambda: print('done')).start()",
    "functions at exit": "atexit.register(print, 'at the end')",
    "a signal": "os.kill(os.getpid(), signal.SIGTERM)",
    "a kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "Ctrl-C": "os.kill(os.getpid(), signal.SIGINT); signal.pause()",
    "its children": "print(subprocess.run(['sh', '-c', 'exit 7']).returncode, signal.getsignal(signal.SIGCHLD))",
    "an error": "raise ValueError('broken')",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(f"import atexit, os, signal, subprocess, sys, threading\n{text}\n")
    return path


def run(path: Path, environment: dict[str, str]) -> tuple[type[Running], int, str, str]:
    with start_process([sys.executable, str(path), "a", "b c"], cwd=path.parent, environment=environment) as process:
        output, errors = process.communicate("input", timeout=LIMIT_S)
        # The lines of a traceback differ, its last one does not.
        return type(process), process.wait(), output, errors.splitlines()[-1] if errors else ""


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_forked_program_behaves_like_one_that_was_started(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text.replace("len(os.environ)", "len(os.environ) - ('PYTHONUTF8' in os.environ)"))
    forked, *results = run(path, FORKED)
    started, *expected = run(path, STARTED)
    assert results == expected
    assert (forked is subprocess.Popen, started is subprocess.Popen) == (False, True)


def test_a_forked_program_can_be_stopped_and_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path, "print('started', flush=True); sys.stdin.read()")
    with start_process([sys.executable, str(path)], cwd=tmp_path, environment=FORKED, new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert (process.poll(), os.getsid(process.pid)) == (None, process.pid)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == process.poll() == -signal.SIGTERM
        process.kill()


@pytest.mark.parametrize(("own_tool", "expected"), [(False, TOOL_VERSION), (True, "another version")])
def test_a_program_imports_the_tool_of_this_repository_or_its_own(tmp_path: Path, own_tool: bool, expected: str) -> None:
    path = write(tmp_path, "from tasks.runner.identity import TOOL_VERSION; print(TOOL_VERSION)")
    for name in ("tasks/__init__.py", "tasks/runner/__init__.py", "tasks/runner/identity.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("TOOL_VERSION = 'another version'")
    result = run_process([sys.executable, str(path)], cwd=tmp_path, environment=FORKED, timeout=LIMIT_S, own_tool=own_tool)
    assert result.stdout == f"{expected}\n"


def test_processes_end_with_the_server(tmp_path: Path) -> None:
    path = write(tmp_path, "print(os.getpid(), flush=True); signal.pause()")
    client = (
        "import sys, pathlib; from tests.kit.forkserver import start_process\n"
        f"process = start_process([sys.executable, {str(path)!r}], cwd=pathlib.Path({str(tmp_path)!r}), environment={FORKED!r})\n"
        "print(process.stdout.readline())"
    )
    pid = int(
        subprocess.run([sys.executable, "-c", client], cwd=REPOSITORY, capture_output=True, check=True, timeout=LIMIT_S).stdout
    )
    wait_until(lambda: not is_running(pid), what="the end of the program")
