"""KEEP_TEXT: of a larger file the ledger has the checksum and the size, and what needs its text names the file."""

import hashlib
from pathlib import Path

import pytest

from tasks.rehearsal.drift.drift import choose_texts
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import CatalogRead, Finding, PlanMade, RepairProposed, StoredScript
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.vouching import LARGEST_TEXT, FileTexts
from tasks.runner.operations.mark import mark
from tasks.runner.operations.redo import redo
from tasks.runner.operations.schema import read_schema
from tests.kit.projects import Project
from tests.runner.ledger import format_2
from tests.runner.ledger.test_format import OldTool
from tests.runner.operating import A, B, Operator, list_done, pick
from tests.runner.operations.test_sql_script import apply as apply_script
from tests.runner.operations.test_sql_script import write_script

KEEP = 1024
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SMALL_UP, SMALL_DOWN = "CREATE TABLE a (id int);", "DROP TABLE a;"


def fill(text: str, size: int = KEEP + 1) -> str:
    """Return SQL with a comment, of a size in bytes: it has fewer characters."""
    comment = f"{text}\n-- \u00e4"
    return comment + "x" * (size - len(comment.encode()))


LARGE_UP, LARGE_DOWN = fill(SMALL_UP), fill(SMALL_DOWN)
STORED = """
SELECT s.up_text, s.down_text, l.up_size, l.down_size, l.up_digest IS NOT NULL, l.down_digest IS NOT NULL
  FROM schema_migrations_scripts s JOIN schema_migrations_log l USING (version)
 WHERE l.outcome = 'finished' AND l.up_digest IS NOT NULL ORDER BY l.id DESC LIMIT 1
"""


@pytest.fixture
def operator(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return an operator whose runs log a commit."""
    monkeypatch.setenv("GIT_REVISION", COMMIT)
    return operator


def apply(operator: Operator, up: str = LARGE_UP, down: str | None = LARGE_DOWN) -> None:
    operator.write(A, up, down)
    assert list_done(operator.migrate(keep_text=KEEP)) == [A]


def read_scripts(operator: Operator) -> tuple[StoredScript, ...]:
    (read,) = read_schema(operator.make_runner())
    assert isinstance(read, CatalogRead)
    return read.scripts


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (SMALL_UP, None, (SMALL_UP, None, None, None, True, False)),
        (fill(SMALL_UP, KEEP), fill(SMALL_DOWN, KEEP), (fill(SMALL_UP, KEEP), fill(SMALL_DOWN, KEEP), None, None, True, True)),
        (LARGE_UP, None, (None, None, KEEP + 1, None, True, False)),
        (LARGE_UP, SMALL_DOWN, (None, SMALL_DOWN, KEEP + 1, None, True, True)),
        (SMALL_UP, LARGE_DOWN, (SMALL_UP, None, None, KEEP + 1, True, True)),
        (LARGE_UP, LARGE_DOWN, (None, None, KEEP + 1, KEEP + 1, True, True)),
    ],
)
def test_each_text_is_stored_up_to_the_limit_or_its_size_is(
    operator: Operator, up: str, down: str | None, expected: tuple[object, ...]
) -> None:
    apply(operator, up, down)
    assert operator.database.query(STORED) == [expected]
    checksum = hashlib.sha256(up.encode()).hexdigest()
    assert operator.database.query("SELECT checksum FROM schema_migrations") == [(checksum,)]


class _Unread:
    """A file whose text must not be loaded."""

    checksum = "a" * 64

    def __init__(self, size: int) -> None:
        self.size = size

    @property
    def text(self) -> str:
        raise AssertionError("the text was loaded")


@pytest.mark.parametrize(("size", "keep"), [(KEEP + 1, KEEP), (1, 0), (LARGEST_TEXT + 1, 2**40)])
def test_a_text_that_is_not_kept_is_not_loaded(size: int, keep: int) -> None:
    described = FileTexts(_Unread(size), _Unread(size)).describe(keep)
    assert (described["up_text"], described["down_text"]) == (None, None)
    assert (described["up_size"], described["down_size"]) == (size, size)


def test_the_down_file_runs_where_its_text_was_not_kept(operator: Operator) -> None:
    apply(operator)
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_tables() == []


def test_a_kept_down_text_runs_though_the_up_text_was_not_kept(operator: Operator) -> None:
    apply(operator, LARGE_UP, SMALL_DOWN)
    operator.remove(A)
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_tables() == []


@pytest.mark.parametrize("removed", ["up and down", "down"])
def test_a_rollback_without_file_and_text_is_refused_before_anything_ran(operator: Operator, removed: str) -> None:
    apply(operator, SMALL_UP, LARGE_DOWN)
    operator.write(B, "CREATE TABLE b (id int);", "DROP TABLE b;")
    operator.migrate()
    log = operator.read_log()
    down = operator.project.migrations / "down" / f"{A}.sql"
    if removed == "down":
        down.unlink()
    else:
        operator.remove(A)
    with pytest.raises(RefusedError) as refused:
        operator.roll_back(to="0")
    error = refused.value
    assert error.message == (
        f"{A} cannot be rolled back without its down file: its text was not kept, "
        "because the file has 1,025 bytes, more than KEEP_TEXT"
    )
    up = f"{operator.project.migrations / 'up' / A}.sql "
    assert error.hint.splitlines()[-1] == f"  git checkout {COMMIT} -- {up if removed != 'down' else ''}{down}"
    assert (error.exit_code, operator.read_tables(), operator.read_log()) == (3, ["a", "b"], log)


@pytest.mark.parametrize("revision", ["$(id)", "-f", "0123456", ""])
def test_a_commit_that_is_no_commit_is_in_no_command(operator: Operator, revision: str) -> None:
    apply(operator)
    operator.remove(A)
    operator.database.execute(f"UPDATE schema_migrations_log SET git_revision = '{revision}'")
    with pytest.raises(RefusedError) as refused:
        operator.roll_back()
    assert (f"git checkout {revision} -- " in refused.value.hint) == (revision == "0123456")
    assert "from git, then run the command again" in refused.value.hint


def test_a_renamed_version_keeps_the_reason(operator: Operator) -> None:
    apply(operator)
    operator.remove(A)
    operator.write(B, LARGE_UP)
    (operator.project.migrations / "renames.toml").write_text(f'[renames]\n"{A}" = "{B}"\n', encoding="utf-8")
    operator.migrate()
    with pytest.raises(RefusedError, match=f"{B} cannot be rolled back without its down file: its text was not kept") as refused:
        operator.roll_back()
    assert "git checkout" not in refused.value.hint


def test_a_text_that_others_store_where_none_was_kept_does_not_run(operator: Operator) -> None:
    apply(operator)
    (operator.project.migrations / "down" / f"{A}.sql").unlink()
    operator.database.execute("UPDATE schema_migrations_scripts SET up_text = 'SELECT 1', down_text = 'CREATE TABLE owned ()'")
    with pytest.raises(RefusedError, match="the stored text is not one that this tool applied"):
        operator.roll_back()
    (script,) = read_scripts(operator)
    assert (script.up_text, script.down_text) == (None, None)


def test_an_edited_file_and_the_history_name_the_text_that_was_not_kept(operator: Operator) -> None:
    apply(operator)
    operator.write(A, "CREATE TABLE a (id bigint);")
    (edited,) = operator.read_status().findings
    assert edited.diff == "its text was not kept, because the file has 1,025 bytes, more than KEEP_TEXT"
    (row, *_) = [row for row in operator.read_history() if row.version == A]
    assert (row.up_size, row.down_size) == (KEEP + 1, KEEP + 1)
    shown = operator.project.migrate("history", check=0).stdout
    assert "text not kept: up (1,025 bytes) and down (1,025 bytes)" in shown


def test_a_large_difference_is_not_computed(operator: Operator) -> None:
    operator.write(A, fill(SMALL_UP, 1024 * 1024 + 1), SMALL_DOWN)
    operator.migrate()
    operator.write(A, fill("CREATE TABLE a (id bigint);", 1024 * 1024 + 2))
    (edited,) = operator.read_status().findings
    assert edited.diff == "the file and the text that was applied are too large to be compared here: 1,048,578 bytes now"


def test_drift_takes_the_file_or_says_that_it_needs_it(operator: Operator) -> None:
    apply(operator, LARGE_UP, SMALL_DOWN)
    scripts = read_scripts(operator)
    assert scripts == (StoredScript(A, hashlib.sha256(LARGE_UP.encode()).hexdigest(), None, SMALL_DOWN, True, size=KEEP + 1),)
    (chosen,) = choose_texts(scripts, read_migrations(operator.project.migrations))
    assert (chosen.up, chosen.down) == (LARGE_UP, SMALL_DOWN)
    operator.write(A, SMALL_UP)
    for files in (read_migrations(operator.project.migrations), None):
        with pytest.raises(RunnerError, match=f"{A}: its text was not kept, because the file has 1,025 bytes"):
            choose_texts(scripts, files)


def test_redo_does_not_offer_a_text_that_was_not_kept(operator: Operator) -> None:
    apply(operator, SMALL_UP, LARGE_DOWN)
    operator.write(A, "CREATE TABLE a (id bigint);", "DROP TABLE a; -- edited")
    with pytest.raises(RefusedError, match="its text was not kept") as refused:
        list(redo(operator.make_runner(), stored_down=True))
    assert refused.value.hint.startswith("Run the command without --stored-down")
    (made,) = pick(redo(operator.make_runner()), PlanMade)
    (edited,) = [finding for finding in made.findings if finding.kind == "edited down"]
    assert isinstance(edited, Finding)
    assert "--stored-down" not in f"{edited.message} {edited.hint}"


def test_a_mark_and_a_repair_keep_the_limit_too(operator: Operator) -> None:
    operator.write(A, LARGE_UP, LARGE_DOWN)
    list(mark(operator.make_runner(keep_text=KEEP), A, lambda _: True))
    expected = [(None, None, KEEP + 1, KEEP + 1, True, True)]
    assert operator.database.query(STORED) == expected
    operator.write(A, f"{LARGE_UP}y")
    operator.repair(keep_text=KEEP)
    assert operator.database.query(STORED) == [(None, None, KEEP + 2, KEEP + 1, True, True)]
    operator.database.execute("TRUNCATE schema_migrations_scripts")
    operator.repair(keep_text=KEEP)
    assert operator.database.query(STORED) == [(None, None, KEEP + 2, KEEP + 1, True, True)]
    assert pick(operator.repair(keep_text=KEEP), RepairProposed) == []


def test_lost_rows_are_restored_where_no_text_was_kept(operator: Operator) -> None:
    apply(operator)
    rows = operator.database.query("SELECT version, checksum FROM schema_migrations")
    operator.database.execute("TRUNCATE schema_migrations")
    operator.repair()
    assert operator.database.query("SELECT version, checksum FROM schema_migrations") == rows
    operator.database.execute("TRUNCATE schema_migrations, schema_migrations_log")
    operator.repair()
    assert operator.database.query("SELECT version, checksum FROM schema_migrations") == [(A, None)]


def test_a_password_is_masked_where_the_other_text_was_not_kept(operator: Operator) -> None:
    apply(operator, LARGE_UP, SMALL_DOWN)
    secret = "COMMENT ON TABLE a IS ''password=secret''"
    operator.database.execute(f"UPDATE schema_migrations_scripts SET down_text = '{secret}'")
    operator.repair(lambda proposal: proposal.change == "mask passwords")
    ((up, down),) = operator.database.query("SELECT up_text, down_text FROM schema_migrations_scripts")
    assert (up, "secret" in down) == (None, False)


def test_of_a_long_text_that_may_have_a_password_nothing_is_stored(operator: Operator) -> None:
    secret = "COMMENT ON TABLE a IS 'password=geheim';"
    operator.write(A, fill(f"{SMALL_UP} {secret}", 1024 * 1024 + 2), SMALL_DOWN)
    operator.migrate()
    ((up, down),) = operator.database.query("SELECT up_text, down_text FROM schema_migrations_scripts")
    assert (up.splitlines()[-1], down) == ("-- 1,048,577 characters, which may contain passwords", SMALL_DOWN)
    (script,) = read_scripts(operator)
    assert (script.up_text, script.reason) == (None, "its passwords are masked")
    assert pick(operator.repair(), RepairProposed) == []


@pytest.mark.parametrize("by_script", [False, True])
def test_a_ledger_without_sizes_gets_them_with_the_next_run(operator: Operator, by_script: bool) -> None:
    operator.write(B, "CREATE TABLE b (id int);")
    operator.migrate()
    operator.database.execute(
        "ALTER TABLE schema_migrations_log DROP up_size, DROP down_size;"
        "ALTER TABLE schema_migrations_scripts ALTER up_text SET NOT NULL;"
        "UPDATE schema_migrations_meta SET value = '3' WHERE key = 'additions'"
    )
    assert [row.up_size for row in operator.read_history() if row.version == B] == [None]
    assert [script.size for script in read_scripts(operator)] == [None]
    operator.write(A, LARGE_UP, LARGE_DOWN)
    if by_script:
        apply_script(operator.database, write_script(operator, keep_text=KEEP))
    else:
        operator.migrate(keep_text=KEEP)
    assert operator.database.query(STORED) == [(None, None, KEEP + 1, KEEP + 1, True, True)]


def test_the_old_tool_uses_a_ledger_without_a_text(operator: Operator) -> None:
    old = OldTool(operator.database)
    apply(operator)
    assert list(old.read()[0]) == [A]
    old.create_tables()
    old.write(format_2.REVERTED, A, action="rollback")
    assert operator.read_states() == {A: "pending"}


def test_the_setting_is_in_force_for_the_command(project: Project, operator: Operator) -> None:
    operator.write(A, LARGE_UP, LARGE_DOWN)
    wrong = project.migrate(env={"KEEP_TEXT": "1KB"}, check=2)
    assert "KEEP_TEXT=1KB: write a whole number with B, kB, MB, GB or TB, or 0, for example KEEP_TEXT=8MB" in wrong.stderr
    project.migrate(env={"KEEP_TEXT": "1kB"}, check=0)
    assert operator.database.query(STORED) == [(None, None, KEEP + 1, KEEP + 1, True, True)]
    Path(project.migrations / "down" / f"{A}.sql").unlink()
    refused = project.migrate("rollback", check=3)
    assert "its text was not kept" in refused.stderr
    assert "Nothing was changed" in refused.stderr
