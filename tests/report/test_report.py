"""What the report chooses to print, and to whom."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks.report import report, report_error
from tasks.report.tables import choose_columns
from tasks.runner.events import Event, from_json
from tests.kit.forkserver import inherit_environment, run_process
from tests.report.samples import ERROR, FAILURE, SAMPLES, USERS
from tests.report.terminals import ROOT


def _speak(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.report.speaker", *arguments]
    return run_process(command, cwd=ROOT, environment=inherit_environment(**environment), timeout=60)


@pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}])
def test_without_a_terminal_there_are_plain_lines_and_no_colour(forced: dict[str, str]) -> None:
    done = _speak("all", **forced)
    assert done.returncode == 0
    assert f"✅ Applied {USERS} (12 ms)" in done.stdout.splitlines()
    assert "\x1b" not in done.stdout


def test_with_json_there_is_nothing_but_json() -> None:
    done = _speak("all", "--json")
    assert tuple(map(from_json, done.stdout.splitlines())) == SAMPLES
    assert done.stderr == ""


def test_the_outcome_of_a_run_is_its_last_event() -> None:
    assert report(FAILURE, stream=io.StringIO()) == ERROR


@pytest.mark.parametrize("options", [{}, {"json": True}])
def test_what_the_run_raises_passes_through_without_a_terminal(options: dict[str, bool]) -> None:
    def stumble() -> Iterator[Event]:
        yield SAMPLES[0]
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        report(stumble(), stream=io.StringIO(), **options)


def test_an_error_before_any_run_goes_to_stderr_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(ERROR)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[0]) == ("", '❌ syntax error at or near "TABEL" (42601)')


def test_an_error_before_any_run_goes_to_stdout_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    report_error(ERROR, json=True)
    out, err = capsys.readouterr()
    assert (from_json(out), err) == (ERROR, "")


def test_verbose_reaches_the_words() -> None:
    stream = io.StringIO()
    report(SAMPLES, stream=stream, verbose=True)
    assert f"⏭️  Skipping {USERS} (already applied)" in stream.getvalue()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_run_goes_on_when_nobody_reads_its_report_any_more(options: list[str], unbuffered: str) -> None:
    command = [sys.executable, "-m", "tests.report.speaker", "long", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b"told everything\n"
        assert process.wait(60) == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_rich_is_not_imported_where_there_is_no_terminal(options: list[str]) -> None:
    program = (
        "import sys; sys.argv[1:] = ['all', *sys.argv[1:]]; import runpy;"
        "runpy.run_module('tests.report.speaker', run_name='__main__'); print('rich' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *options], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == "False\n"


@pytest.mark.parametrize(
    ("cells", "chosen"),
    [
        (100, ["state", "version", "at", "note"]),
        (28, ["state", "version", "at", "note"]),
        (27, ["state", "version", "at"]),
        (21, ["state", "version", "at"]),
        (20, ["state", "version"]),
        (5, ["state", "version"]),
    ],
)
def test_the_least_important_columns_give_way_first(cells: int, chosen: list[str]) -> None:
    names = ("state", "version", "at", "by", "note")
    rows = [("late", "1_a", "12:00", "", "hello")]
    columns = choose_columns(names, rows, cells, ("note", "by", "at"))
    assert [names[column] for column in columns] == chosen


def test_a_column_that_must_stay_stays_even_when_it_is_empty() -> None:
    assert choose_columns(("outcome", "version"), [("started", "")], 80, ()) == [0, 1]
