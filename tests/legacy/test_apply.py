"""Applying a proposal: files are moved and get headers, old names are recorded; a killed run is completed by the next one."""

import hashlib
import itertools
import signal
import sys
from pathlib import Path

import pytest

from tasks.legacy.apply import apply_proposal
from tasks.legacy.proposal import Placement, Proposal
from tasks.legacy.reading.files import OldFile
from tasks.legacy.reading.names import read_name
from tasks.legacy.reading.sources import find_old_files
from tasks.runner.errors import FilesError, RunnerError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.renames import Renames, read_renames, write_renames
from tests.kit.forkserver import inherit_environment, run_process
from tests.kit.projects import REPOSITORY
from tests.kit.repositories import TestRepository, make_repository
from tests.kit.waiting import LIMIT_S
from tests.legacy.crash_worker import FILES, UNTRACKED, make_proposal
from tests.runner.operating import Operator

ROLES = "20250103000000_roles"
USERS = "20250102000000_users"
AFTER = [
    "_superseded/002_old_roles.sql",
    "down/20250103000000_roles.sql",
    "renames.toml",
    "up/20250101000000_init.sql",
    "up/20250102000000_users.sql",
    "up/20250103000000_roles.sql",
    "up/20250104000000_new.sql",
    "up/20250601000000_last.sql",
]


@pytest.fixture
def old(repository: TestRepository) -> TestRepository:
    """Return a repository with old files, one of which is not tracked by git."""
    return fill(repository)


def fill(repository: TestRepository) -> TestRepository:
    repository.write(FILES)
    repository.commit()
    repository.write({UNTRACKED: "CREATE TABLE new ();"})
    return repository


def read_tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


def read_index(repository: TestRepository) -> set[str]:
    """Return the paths in git's index."""
    return set(repository.git("ls-files").splitlines())


def list_steps(root: Path) -> list[tuple[str, str]]:
    return [(step.what, step.path.name) for step in apply_proposal(make_proposal(root))]


def test_every_file_is_moved_to_its_place(old: TestRepository) -> None:
    list_steps(old.root)
    assert sorted(read_tree(old.root)) == [f"migrations/{name}" for name in AFTER]
    assert read_migrations(old.root / "migrations").downs == {ROLES}


def test_tracked_files_are_moved_in_git_and_untracked_files_are_not_added(old: TestRepository) -> None:
    list_steps(old.root)
    untracked = ("renames.toml", "up/20250104000000_new.sql")
    assert read_index(old) == {f"migrations/{name}" for name in AFTER if name not in untracked}
    old.commit("2025-04-01T00:00:00Z")
    log = old.git("log", "--follow", "--format=%ad", "--date=short", "--", f"migrations/up/{USERS}.sql")
    assert log.split() == ["2025-04-01", "2025-03-01"]


def test_missing_headers_are_added_and_statements_are_not_changed(old: TestRepository) -> None:
    list_steps(old.root)
    tree = read_tree(old.root / "migrations")
    users = tree[f"up/{USERS}.sql"].decode()
    assert users == f"-- Migration: {USERS}.sql\n-- Description: Users\n\n{FILES['migrations/001_users.sql']}"
    assert tree[f"up/{ROLES}.sql"].decode() == FILES["migrations/002-roles.up.sql"]
    assert tree[f"down/{ROLES}.sql"].decode() == (
        f"-- Migration: {ROLES}.sql\n-- Description: Undo: roles\n\n{FILES['migrations/002-roles.down.sql']}"
    )
    assert tree["_superseded/002_old_roles.sql"].decode() == FILES["migrations/002_old_roles.sql"]
    assert tree["up/20250601000000_last.sql"].decode() == FILES["migrations/20250601000000_last.sql"]


def test_old_names_are_recorded_with_the_checksums_before_and_after_the_header(old: TestRepository) -> None:
    list_steps(old.root)
    folder = old.root / "migrations"
    renames = read_renames(folder, read_migrations(folder).checksums)
    assert renames.versions == {
        "init": "20250101000000_init",
        "001_users": USERS,
        "002-roles": ROLES,
        "003_new": "20250104000000_new",
    }
    before = hashlib.sha256(FILES["migrations/001_users.sql"].encode()).hexdigest()
    assert renames.headers["001_users"] == (before, read_migrations(folder).checksums[USERS])
    assert "002-roles" not in renames.headers
    assert renames.superseded == {"002_old_roles": "fails after 002-roles"}


def test_a_second_run_changes_nothing(old: TestRepository) -> None:
    assert len(list_steps(old.root)) > len(AFTER)
    tree, index = read_tree(old.root), read_index(old)
    assert list_steps(old.root) == []
    assert (read_tree(old.root), read_index(old)) == (tree, index)


def test_a_run_that_is_killed_after_any_step_is_completed_by_the_next(old: TestRepository, tmp_path: Path) -> None:
    complete = fill(make_repository(tmp_path / "whole"))
    steps = len(list_steps(complete.root))
    for number in range(steps):
        root = fill(make_repository(tmp_path / f"killed{number}")).root
        command = [sys.executable, "-m", "tests.legacy.crash_worker", str(root), str(number)]
        died = run_process(command, cwd=REPOSITORY, environment=inherit_environment(), timeout=LIMIT_S)
        assert died.returncode == -signal.SIGKILL
        assert len(list_steps(root)) == steps - number
        assert read_tree(root) == read_tree(complete.root)
        assert read_index(TestRepository(root)) == read_index(complete)


def test_a_move_that_was_interrupted_before_git_recorded_it_is_completed(old: TestRepository) -> None:
    target = old.root / "migrations" / "up" / f"{USERS}.sql"
    target.parent.mkdir()
    (old.root / "migrations" / "001_users.sql").rename(target)
    assert ("recorded the move of", target.name) in list_steps(old.root)
    assert "migrations/001_users.sql" not in read_index(old)
    assert f"migrations/up/{USERS}.sql" in read_index(old)


def test_without_git_files_are_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    TestRepository(tmp_path).write({**FILES, UNTRACKED: "SELECT 1;"})
    list_steps(tmp_path)
    assert sorted(read_tree(tmp_path)) == [f"migrations/{name}" for name in AFTER]


@pytest.mark.parametrize(
    ("conflicting_file", "problem"),
    [("migrations/up/20250102000000_users.sql", "exists already"), ("", "001_users.sql: is gone")],
)
def test_an_existing_target_or_a_missing_file_is_refused_before_any_change(
    old: TestRepository, conflicting_file: str, problem: str
) -> None:
    if conflicting_file:
        old.write({conflicting_file: "SELECT 'another';"})
    else:
        (old.root / "migrations" / "001_users.sql").unlink()
    before = read_tree(old.root)
    with pytest.raises(FilesError) as refused:
        list_steps(old.root)
    assert problem in refused.value.message
    assert read_tree(old.root) == before


def test_an_error_of_git_is_reported(old: TestRepository) -> None:
    (old.root / ".git" / "index.lock").touch()
    with pytest.raises(RunnerError, match=r"git mv in .* failed: .*index\.lock"):
        list_steps(old.root)
    (old.root / ".git" / "index.lock").unlink()
    list_steps(old.root)
    assert sorted(read_tree(old.root)) == [f"migrations/{name}" for name in AFTER]


def test_earlier_renames_stay_in_renames_toml(old: TestRepository) -> None:
    list_steps(old.root)
    old.write({"migrations/004_more.sql": "SELECT 4;"})
    folder = old.root / "migrations"
    more = OldFile(folder / "004_more.sql", read_name("004_more"))
    for _ in apply_proposal(Proposal(folder, (Placement(more, "20250701000000_more"),))):
        continue
    renames = read_renames(folder, read_migrations(folder).checksums)
    assert renames.versions["001_users"] == USERS
    assert renames.versions["004_more"] == "20250701000000_more"
    assert set(renames.headers) >= {"001_users", "004_more"}
    assert set(renames.superseded) == {"002_old_roles"}


def test_a_database_with_the_old_names_runs_nothing_afterwards(operator: Operator, repository: TestRepository) -> None:
    old = fill(repository)
    proposal = make_proposal(old.root)
    moved = [each.file for each in proposal.placements if each.version]
    operator.make_runner().ensure_migration_table()
    for file in moved:
        checksum = hashlib.sha256(file.path.read_bytes()).hexdigest()
        operator.database.execute("INSERT INTO schema_migrations (version, checksum) VALUES (%s, %s)", file.path.stem, checksum)
    list_steps(old.root)
    assert operator.make_runner(migrations_dir=old.root / "migrations").run_migrations() == []
    assert sorted(operator.read_applied()) == sorted(each.version for each in proposal.placements if each.version)
    assert operator.read_tables() == []


SPLIT = {
    "migrations/001_users.sql": "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE users ();\n"
    "-- +goose Down\nDROP TABLE users;\n",
    "migrations/2025-01-02-000000_roles/up.sql": "CREATE TABLE roles ();",
    "migrations/2025-01-02-000000_roles/down.sql": "DROP TABLE roles;",
    "migrations/2025-01-02-000000_roles/metadata.toml": "run_in_transaction = false\n",
    "migrations/2025-01-03-000000_more/migration.sql": "CREATE TABLE more ();",
    "migrations/2025-01-04-000000_same/migration.sql": "CREATE TABLE IF NOT EXISTS more ();",
    "migrations/2025-01-04-000000_same/down.sql": "DROP TABLE more;",
}


def propose_split(root: Path) -> Proposal:
    """Return the proposal of the files that are still there, as a second run makes it."""
    versions = {
        "001_users": "20250101000000_users",
        "2025-01-02-000000_roles": ROLES,
        "2025-01-03-000000_more": "20250104000000_more",
    }
    files = find_old_files([], root / "migrations")
    reasons = {"2025-01-04-000000_same": "creates the same"}
    return Proposal(
        root / "migrations",
        tuple(Placement(file, versions.get(file.name.stem, ""), reasons.get(file.name.stem, "")) for file in files),
    )


def test_a_split_that_is_interrupted_after_any_step_is_completed(tmp_path: Path) -> None:
    complete = tmp_path / "whole"
    TestRepository(complete).write(SPLIT)
    steps = len(list(apply_proposal(propose_split(complete))))
    tree = read_tree(complete)
    assert sorted(name.removeprefix("migrations/") for name in tree) == [
        "2025-01-02-000000_roles/metadata.toml",
        "_superseded/2025-01-04-000000_same.down.sql",
        "_superseded/2025-01-04-000000_same.sql",
        "down/20250101000000_users.sql",
        f"down/{ROLES}.sql",
        "renames.toml",
        "up/20250101000000_users.sql",
        f"up/{ROLES}.sql",
        "up/20250104000000_more.sql",
    ]
    for folder, statement in (("up", "CREATE TABLE users ();\n"), ("down", "DROP TABLE users;\n")):
        text = tree[f"migrations/{folder}/20250101000000_users.sql"].decode()
        assert text.partition("\n\n")[2] == f"-- migrate: no-transaction\n{statement}"
        assert b"-- migrate: no-transaction\n" in tree[f"migrations/{folder}/{ROLES}.sql"]
    for number in range(steps):
        root = tmp_path / f"stopped{number}"
        TestRepository(root).write(SPLIT)
        assert len(list(itertools.islice(apply_proposal(propose_split(root)), number))) == number
        list(apply_proposal(propose_split(root)))
        assert read_tree(root) == tree
        assert list(apply_proposal(propose_split(root))) == []


def test_a_down_file_of_the_same_name_is_not_overwritten_by_a_section(tmp_path: Path) -> None:
    TestRepository(tmp_path).write({**SPLIT, "migrations/down/20250101000000_users.sql": "SELECT 'another';"})
    before = read_tree(tmp_path)
    with pytest.raises(FilesError, match="exists already"):
        list(apply_proposal(propose_split(tmp_path)))
    assert read_tree(tmp_path) == before


def test_a_checkout_with_the_old_name_of_a_file_does_not_run_it_again(operator: Operator, repository: TestRepository) -> None:
    text = "CREATE TABLE runs (n int); INSERT INTO runs VALUES (1);"
    operator.write("20250101000000_first", text)
    operator.migrate()
    older = operator.project.migrations
    newer = repository.root / "migrations"
    (newer / "up").mkdir(parents=True)
    (newer / "up" / "20250101000001_second.sql").write_text(text)
    renamed = Renames({"20250101000000_first": "20250101000001_second"})
    (newer / "renames.toml").write_text(write_renames(renamed))
    assert operator.make_runner(migrations_dir=newer).run_migrations() == []
    assert operator.read_applied() == ["20250101000001_second"]
    assert operator.make_runner(migrations_dir=older).run_migrations() == []
    assert operator.database.query("SELECT n FROM runs") == [(1,)]
