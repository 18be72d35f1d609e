"""db.blockers as a command: its exit codes, and the question of a guarded environment."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.fly.terminals import open_terminal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.stress.blocking import waiting


@pytest.fixture
def blocker(database: Database) -> Iterator[int]:
    """Yield the process id of a session that blocks another."""
    database.execute("CREATE TABLE accounts (id int)")
    with database.connect(autocommit=False) as other, ExitStack() as stack:
        other.execute("SELECT 'evil\x1b[2J\u202e' FROM accounts")
        stack.enter_context(waiting(database, "ALTER TABLE accounts ADD name text"))
        stack.callback(other.close)
        yield other.info.backend_pid


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--kill=abc",), "--kill must be a whole number of at least 1 (got abc)"),
        (("--kill=-1",), "--kill must be a whole number of at least 1 (got -1)"),
        (("--kill=0",), "--kill must be a whole number of at least 1 (got 0)"),
        (("--kill=99999999999999",), "of at least 1 (got 99999999999999)"),
        (("--kill=999999",), "there is no session with pid 999999"),
        (("--kill=1", "--env=dev,staging"), "--kill needs one environment"),
    ],
)
def test_a_process_that_cannot_be_meant_is_wrong_usage(project: Project, flags: tuple[str, ...], message: str) -> None:
    assert message in project.inv("db.blockers", *flags, check=2).stderr


def test_without_waiting_sessions_one_line_is_printed(project: Project) -> None:
    result = project.inv("db.blockers", check=0)
    assert result.stdout.endswith("(local): no session waits for a lock\n")
    assert len(result.stdout.splitlines()) == 1


def test_a_blocker_is_ended_with_yes(project: Project, database: Database, blocker: int) -> None:
    refused = project.inv("db.blockers", f"--kill={blocker}", check=3)
    assert f"SELECT pg_terminate_backend({blocker});" in refused.stdout
    assert "\x1b" not in refused.stdout
    assert "\u202e" not in refused.stdout
    assert "pid " in project.migrate("blockers", check=0).stdout
    assert f"✅ Ended pid {blocker}" in project.migrate("blockers", f"--kill={blocker}", "--yes", check=0).stdout
    assert database.query("SELECT FROM pg_stat_activity WHERE pid = %s", blocker) == []


def test_the_name_of_a_guarded_environment_is_asked_for(project: Project, database: Database, blocker: int) -> None:
    guarded = {"GUARDED": "dev", "DATABASE_URL": database.url}
    refused = project.inv("db.blockers", "--env=dev", f"--kill={blocker}", env=guarded, check=3)
    assert f"Confirm it beforehand: inv db.blockers --env=dev --kill={blocker} --yes" in refused.stderr
    for answer, exit_code in (("prod", 3), ("dev", 0)):
        with open_terminal(project, "db.blockers", "--env=dev", f"--kill={blocker}", **guarded) as dialogue:
            dialogue.await_words("[y/N]")
            dialogue.answer("y")
            dialogue.await_words("This will change dev. Type dev to continue: ")
            dialogue.answer(answer)
            assert dialogue.finish() == exit_code
    assert database.query("SELECT FROM pg_stat_activity WHERE pid = %s", blocker) == []
