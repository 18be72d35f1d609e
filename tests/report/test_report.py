"""What the report prints, and to which stream."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks.report import report, report_error
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.events import Event, from_json
from tests.kit.forkserver import inherit_environment, run_process
from tests.kit.waiting import LIMIT_S
from tests.report.samples import ERROR, FAILURE, SAMPLES, USERS
from tests.report.terminals import ROOT

REFUSED = RunnerError('syntax error at or near "TABEL"', sqlstate="42601", state="Nothing was changed.", hint="Fix it.")


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.report.sample_program", *arguments]
    return run_process(command, cwd=ROOT, environment=inherit_environment(**environment), timeout=LIMIT_S)


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}])
def test_without_a_terminal_plain_lines_without_colour_are_printed(forced: dict[str, str]) -> None:
    result = _run("all", **forced)
    assert result.returncode == 0
    assert f"✅ Applied {USERS} (12 ms)" in result.stdout.splitlines()
    assert "\x1b" not in result.stdout


def test_with_json_only_json_is_printed() -> None:
    result = _run("all", "--json")
    assert tuple(map(from_json, result.stdout.splitlines())) == SAMPLES
    assert result.stderr == ""


def test_the_outcome_of_a_run_is_its_last_event() -> None:
    assert report(FAILURE, stream=io.StringIO()) == ERROR


@pytest.mark.parametrize("options", [{}, {"json": True}])
def test_an_exception_of_the_run_is_propagated_without_a_terminal(options: dict[str, bool]) -> None:
    def fail() -> Iterator[Event]:
        yield SAMPLES[0]
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        report(fail(), stream=io.StringIO(), **options)


def test_an_error_before_a_run_is_printed_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(REFUSED)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", '❌ syntax error at or near "TABEL" (42601)')


def test_with_json_an_error_before_a_run_is_printed_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(REFUSED, json=True)
    out, err = capsys.readouterr()
    assert (from_json(out), err) == (describe_error(REFUSED, ""), "")


def test_verbose_lists_each_skipped_version() -> None:
    stream = io.StringIO()
    report(SAMPLES, stream=stream, verbose=True)
    assert f"⏭️  Skipping {USERS} (already applied)" in stream.getvalue()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_run_continues_after_its_output_pipe_is_closed(options: list[str], unbuffered: str) -> None:
    command = [sys.executable, "-m", "tests.report.sample_program", "long", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"emitted everything\n"
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_rich_is_not_imported_without_a_terminal(options: list[str]) -> None:
    program = (
        "import sys; sys.argv[1:] = ['all', *sys.argv[1:]]; import runpy;"
        "runpy.run_module('tests.report.sample_program', run_name='__main__'); print('rich' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert result.stderr == "False\n"
