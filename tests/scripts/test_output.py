"""Output that cannot be written: the database is changed all the same, and the exit code is 1."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.databases import Database
from tests.kit.disks import mount_small_disk
from tests.kit.projects import REPOSITORY, Project
from tests.runner.operating import A, B, Operator

PROGRAMS = {
    "script": f"{sys.executable} {REPOSITORY}/scripts/migrate.py migrate",
    "invoke": f"{sys.executable} -m invoke --search-root {REPOSITORY} db.migrate",
}
PAGE_BYTES = 4096


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator whose project has two migrations."""
    operator = Operator(project, database)
    operator.write_tables(A, B)
    return operator


def run(operator: Operator, command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a shell, which redirects its output."""
    environment = operator.project._environment(None)
    return subprocess.run(
        ["bash", "-c", command], cwd=operator.project.root, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("flags", ["", "--json"])
@pytest.mark.parametrize(
    ("redirection", "reason"),
    [(">&-", "it is closed"), (">/dev/full", "No space left on device"), (">&- 2>&-", ""), (">/dev/full 2>&1", "")],
    ids=["closed", "full", "both closed", "both full"],
)
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_run_ends_as_it_would_and_the_loss_is_reported(
    operator: Operator, program: str, redirection: str, reason: str, flags: str
) -> None:
    result = run(operator, f"{program} {flags} {redirection}")
    assert operator.read_tables() == ["a", "b"]
    assert operator.read_applied() == [A, B]
    assert operator.read_history()[0].outcome == "finished"
    assert result.returncode == 1
    lost = f"ERROR: stdout could not be written: {reason}. The command ran to its end; `history` shows its result.\n"
    assert result.stderr == (lost if reason else "")


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_disk_that_fills_in_the_middle_does_not_stop_a_run(operator: Operator, tmp_path: Path, program: str) -> None:
    noise = "DO $$ BEGIN FOR i IN 1..200 LOOP RAISE NOTICE '%', repeat('x', 500); END LOOP; END $$;"
    operator.project.write_up(A, f"CREATE TABLE a (); {noise}")
    with mount_small_disk(tmp_path / "disk", 1) as disk:
        (disk / "ballast").write_bytes(bytes((1 << 20) - PAGE_BYTES * 4))
        result = run(operator, f"{program} >{disk}/log")
        assert (disk / "log").stat().st_size >= PAGE_BYTES
    assert (result.returncode, operator.read_applied()) == (1, [A, B])
    assert "No space left on device" in result.stderr


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_reader_that_has_gone_is_not_a_failure(operator: Operator, program: str) -> None:
    result = run(operator, f"{program} | head -1; exit ${{PIPESTATUS[0]}}")
    assert (result.returncode, operator.read_applied(), result.stderr) == (0, [A, B], "")


def test_a_closed_input_is_not_read(operator: Operator) -> None:
    assert run(operator, f"{PROGRAMS['script']} <&-").returncode == 0


def test_a_refusal_keeps_its_exit_code(operator: Operator) -> None:
    assert run(operator, f"{PROGRAMS['script']} --env prod >/dev/full").returncode == 1
    assert run(operator, f"{PROGRAMS['script']} --env staging >/dev/full").returncode == 3


def test_a_failure_is_printed_once_where_both_streams_are_the_same(operator: Operator) -> None:
    operator.project.write_up(B, "SELECT nothing;")
    result = run(operator, f"{PROGRAMS['script']} 2>&1")
    assert result.stdout.count("nothing") == 3  # The message, the source line and the hint.
    assert f'❌ Failed {B}: column "nothing" does not exist (42703)\n' in result.stdout
    apart = run(operator, PROGRAMS["script"])
    assert "❌ Failed" in apart.stdout
    assert '❌ column "nothing" does not exist (42703)' in apart.stderr
