"""A forked program is as one that began from nothing."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tasks.runner.identity import TOOL_VERSION
from tests.kit.fly import relays
from tests.kit.fly.relays import serve_relays
from tests.kit.forkserver import Running, start_process
from tests.kit.projects import REPOSITORY
from tests.kit.waiting import wait_until

RELAY = (sys.executable, "-SE", str(relays.RELAY))

FORKED = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "NAME": "Übung"}
FROM_NOTHING = FORKED | {"PYTHONUTF8": "0"}
"""What Python reads when it starts keeps it from being forked."""
PROGRAMS = {
    "the end": "",
    "streams": "print('to you'); print('aside', file=sys.stderr); print(sys.stdin.read().upper())",
    "a number": "sys.exit(3)",
    "a reason": "sys.exit('no')",
    "nothing to say": "sys.exit(None)",
    "what was not flushed": "sys.stdout.write('half a line'); sys.exit(1)",
    "a place of its own": "print(os.getcwd(), sys.argv, sys.path[0], os.environ['NAME'], len(os.environ), __name__)",
    "letters": "print(sys.stdout.encoding, sys.stdout.errors, sys.stderr.errors, sys.stdin.errors, 'ß')",
    "no terminal": "print([os.isatty(number) for number in range(3)], sys.stdout.line_buffering, sys.stderr.line_buffering)",
    "the end of its threads": "threading.Thread(target=lambda: print('done')).start()",
    "what is done at the end": "atexit.register(print, 'at the end')",
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
        output, errors = process.communicate("input", timeout=60)
        # Of a traceback, the places differ.
        return type(process), process.wait(), output, errors.splitlines()[-1] if errors else ""


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_forked_program_does_and_ends_as_one_that_began_from_nothing(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text.replace("len(os.environ)", "len(os.environ) - ('PYTHONUTF8' in os.environ)"))
    forked, *told = run(path, FORKED)
    begun, *expected = run(path, FROM_NOTHING)
    assert told == expected
    assert (forked is subprocess.Popen, begun is subprocess.Popen) == (False, True)


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_relay_ends_as_the_program_that_it_stands_for(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text.replace("len(os.environ)", "len(os.environ) - ('PYTHONUTF8' in os.environ)"))
    expected = run(path, FROM_NOTHING)[1:]
    done = subprocess.run(
        [*RELAY, str(serve_relays()), "false", str(path), "a", "b c"],
        cwd=tmp_path,
        env=FORKED,
        input="input",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1] if done.stderr else "") == expected


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_with_a_relay_ends_the_program_that_it_stands_for(tmp_path: Path, number: signal.Signals) -> None:
    path = write(tmp_path, "print(os.getpid(), flush=True); signal.pause()")
    command = [*RELAY, str(serve_relays()), "false", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(number)
        assert process.stdout.read() == ""
    assert process.returncode == -number
    wait_until(lambda: not psutil.pid_exists(pid), what="the end of the program")


def test_a_forked_program_can_be_stopped_and_waited_for(tmp_path: Path) -> None:
    path = write(tmp_path, "print('begun', flush=True); sys.stdin.read()")
    with start_process([sys.executable, str(path)], cwd=tmp_path, environment=FORKED, new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        assert (process.poll(), os.getsid(process.pid)) == (None, process.pid)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == process.poll() == -signal.SIGTERM
        process.kill()


def test_a_relay_that_ends_before_it_has_asked_holds_up_nobody(tmp_path: Path) -> None:
    path = write(tmp_path, "print('served')")
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(serve_relays()))
        socket.send_fds(channel, [(99).to_bytes(8, "big")], [0, 1, 2])
        channel.sendall(b"{")
    command = [*RELAY, str(serve_relays()), "false", str(path)]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stdout == b"served\n"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"{TOOL_VERSION} True"),
        ({"tasks/runner/identity.py": "raise SystemExit('a version of its own')"}, "a version of its own"),
        ({"tasks/runner/retries.py": None}, "ModuleNotFoundError: No module named 'tasks.runner.retries'"),
        ({"tasks/runner/later.py": "raise SystemExit('came with it')"}, "came with it"),
    ],
    ids=["the same", "another file", "a file less", "a file more"],
)
def test_a_program_that_brings_the_tool_runs_its_own(tmp_path: Path, changes: dict[str, str | None], expected: str) -> None:
    shutil.copytree(REPOSITORY / "tasks", tmp_path / "tasks", ignore=shutil.ignore_patterns("__pycache__"))
    program = tmp_path / "scripts" / "program.py"
    program.parent.mkdir()
    program.write_text(
        "import sys; from pathlib import Path; sys.path.insert(0, str(Path(__file__).parent.parent))\n"
        "from tasks.console import script as command\nfrom tasks.runner import identity\n"
        "import tasks.runner.retries\n"
        "if Path('tasks/runner/later.py').exists():\n    import tasks.runner.later\n"
        "sys.exit(f'{identity.TOOL_VERSION} {({command.PROJECT, Path(identity.__file__).parents[2]} == {Path.cwd()})}')\n"
    )
    for name, text in changes.items():
        if text is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(text)
    command = [*RELAY, str(serve_relays()), "true", str(program)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60, encoding="utf-8")
    assert done.stderr.splitlines()[-1] == expected
