"""Cleaning up a folder of old files: what is proposed, what is changed, and what is refused."""

import hashlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.legacy.apply import apply_proposal
from tasks.legacy.cleanup import CleanupOptions, clean_up
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged, OldFileJudged
from tasks.legacy.investigation import plan_cleanup
from tasks.legacy.reading.sources import find_old_files, list_sources
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.report.cleanup import register_messages
from tasks.runner.errors import FilesError, UsageError
from tasks.runner.events import Event
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.renames import read_renames
from tests.kit.projects import Project
from tests.kit.repositories import TestRepository
from tests.kit.servers import Server
from tests.legacy.history import LEGACY, SUPERSEDED, UNNUMBERED
from tests.runner.operating import Operator, list_done, pick

USERS = "CREATE TABLE users (id int PRIMARY KEY);"
SMALL = {
    "migrations/001_users.sql": USERS,
    "migrations/002_orders.up.sql": "CREATE TABLE orders (user_id int REFERENCES users (id));",
    "migrations/002_orders.down.sql": "DROP TABLE orders;",
    "migrations/003_more_users.sql": "CREATE TABLE IF NOT EXISTS users (id int PRIMARY KEY);",
    "migrations/004_rename.sql": "ALTER TABLE users RENAME id TO user_id;",
    "migrations/005_index.sql": "CREATE INDEX ON users (id);",
}


@pytest.fixture
def server(embedded: Server) -> Iterator[ScratchServer]:
    with ScratchServer(embedded.url()) as server:
        yield server


def clean(root: Path, server: ScratchServer, *named: Path, apply: bool = False, write_downs: bool = False) -> list[Event]:
    """Clean up the migrations folder as the command does."""
    folder = root / "migrations"
    files = find_old_files([str(path) for path in named], folder)
    cleanup = plan_cleanup(
        files, folder, server, sources=list_sources([str(path) for path in named], folder), write_downs=write_downs
    )
    return list(clean_up(cleanup, server, CleanupOptions(apply)))


def judge(root: Path, server: ScratchServer) -> dict[str, OldFileJudged]:
    (planned,) = pick(clean(root, server), CleanupPlanned)
    return {Path(each.path).stem: each for each in planned.files}


def write(root: Path, **files: str) -> Path:
    """Write files into the migrations folder."""
    TestRepository(root).write({f"migrations/{name}.sql": text for name, text in files.items()})
    return root


def read_tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


@pytest.mark.only_newest
def test_the_folder_of_old_files_gets_the_expected_order_and_verdicts(tmp_path: Path, server: ScratchServer) -> None:
    shutil.copytree(LEGACY, tmp_path, dirs_exist_ok=True)
    judged = judge(tmp_path, server)
    assert next(iter(judged)) == "init-local-database"
    assert judged["init-local-database"].order.startswith("has no number; placed before the others")
    for file in SUPERSEDED:
        assert judged[file.stem].verdict == "superseded"
        assert judged[file.stem].reason.startswith("fails after 003_add_rbac_tables: ")
    assert judged["create_persona_tables"].verdict == "no change"
    assert "005_create_personas_tables" in judged["create_persona_tables"].reason
    assert [judged[file.stem].reason.partition(",")[0] for file in UNNUMBERED] == ["needs the schema auth", "needs the role anon"]
    assert judged["006_default_roles_and_sources"].verdict == "data only"
    working = [stem for stem, each in judged.items() if each.verdict == "works"]
    assert len(working) == 9
    versions = [each.version for each in judged.values() if each.version]
    assert len(versions) == 10
    assert versions == sorted(versions)
    assert (judged["004_create_conversations"].source, judged["004_create_conversations"].date[:10]) == ("header", "2025-08-13")


def test_the_proposal_is_applied_and_a_second_run_has_nothing_to_do(
    repository: TestRepository, server: ScratchServer, operator: Operator
) -> None:
    repository.write(SMALL)
    repository.commit("2025-03-01T00:00:00Z")
    (planned,) = pick(clean(repository.root, server), CleanupPlanned)
    assert (repository.root / "migrations/001_users.sql").exists()
    events = clean(repository.root, server, apply=True)
    assert pick(events, CleanupPlanned) == [planned]
    folder = repository.root / "migrations"
    migrations = read_migrations(folder)
    assert list(migrations.checksums) == [each.version for each in planned.files if each.version]
    assert {version.partition("_")[2] for version in migrations.downs} == {"orders"}
    assert sorted(path.name for path in (folder / "_superseded").iterdir()) == ["003_more_users.sql", "005_index.sql"]
    assert set(read_renames(folder, migrations.checksums).superseded) == {"003_more_users", "005_index"}
    tree = read_tree(repository.root)
    assert clean(repository.root, server, apply=True) == [CleanupFinished(0, 0, 0, applied=True)]
    assert read_tree(repository.root) == tree
    assert len(list_done(operator.migrate(migrations_dir=folder))) == 3
    assert operator.read_tables() == ["orders", "users"]


def test_a_file_that_has_no_effect_or_fails_after_another_names_it_in_the_reason(tmp_path: Path, server: ScratchServer) -> None:
    TestRepository(tmp_path).write(SMALL)
    judged = judge(tmp_path, server)
    assert (judged["003_more_users"].verdict, judged["003_more_users"].reason) == (
        "no change",
        "has no effect after 001_users, which creates the same",
    )
    assert judged["005_index"].verdict == "superseded"
    assert judged["005_index"].reason == 'fails after 004_rename: column "id" does not exist (42703)'


def test_a_run_that_was_interrupted_after_any_step_is_completed(tmp_path: Path, server: ScratchServer) -> None:
    complete, root = tmp_path / "whole", tmp_path / "broken"
    for each in (complete, root):
        TestRepository(each).write(SMALL)
    clean(complete, server, apply=True)
    folder = root / "migrations"
    proposal = plan_cleanup(find_old_files([], folder), folder, server).proposal
    # Modification times date these files, so the versions differ between copies: the names are compared without them.
    for steps in itertools.count():
        shutil.rmtree(root)
        TestRepository(root).write(SMALL)
        done = list(itertools.islice(apply_proposal(proposal), steps))
        events = clean(root, server, apply=True)
        assert [name.partition("/")[0] + name[-9:] for name in read_tree(root)] == [
            name.partition("/")[0] + name[-9:] for name in read_tree(complete)
        ]
        assert all(text.startswith(b"-- Migration: ") for name, text in read_tree(root).items() if "/up/" in name)
        renames = read_renames(folder, read_migrations(folder).checksums)
        assert {pair[1] for pair in renames.headers.values()} == set(read_migrations(folder).checksums.values())
        if not pick(events, FileChanged):
            break
    assert len(done) > len(SMALL)


def test_missing_downs_are_generated_for_review_and_undo_everything(
    tmp_path: Path, server: ScratchServer, operator: Operator
) -> None:
    write(tmp_path, **{"001_users": USERS, "002_a.up": "CREATE TABLE a ();", "002_a.down": "DROP TABLE a; -- own"})
    write(
        tmp_path,
        **{
            "003_mail": "ALTER TABLE users ADD mail text; CREATE INDEX ON users (mail);",
            "004_kind": "CREATE TYPE k AS ENUM ('a');",
        },
    )
    write(tmp_path, **{"005_more": "ALTER TYPE k ADD VALUE 'b';", "006_rows": "INSERT INTO users VALUES (1);"})
    events = clean(tmp_path, server, apply=True, write_downs=True)
    folder = tmp_path / "migrations"
    texts = {path.stem.partition("_")[2]: path.read_text() for path in (folder / "down").iterdir()}
    assert sorted(texts) == ["a", "kind", "mail", "more", "users"]
    assert {name for name, text in texts.items() if "-- Review: " in text} == {"kind", "mail", "more", "users"}
    (planned,) = pick(events, CleanupPlanned)
    assert len(planned.downs) == 4
    assert [version.partition("_")[2] for version in planned.no_downs] == ["rows"]
    assert planned.no_down_reasons == ("the file changes only rows, and their values before are not known",)
    operator.migrate(migrations_dir=folder)
    for path in (folder / "up").glob("*_rows.sql"):
        operator.database.execute("DELETE FROM schema_migrations WHERE version = %s", path.stem)
    assert len(list_done(operator.roll_back(steps=5, migrations_dir=folder))) == 5
    assert operator.read_tables() == []


def test_a_down_that_does_not_restore_rows_says_so(tmp_path: Path, server: ScratchServer) -> None:
    write(
        tmp_path,
        **{
            "001_a": "CREATE TABLE a (id int, old int); INSERT INTO a VALUES (1, 2);",
            "002_drop": "ALTER TABLE a DROP COLUMN old;",
            "003_rows": "CREATE TABLE b (); DELETE FROM a;",
        },
    )
    (planned,) = pick(clean(tmp_path, server, apply=True, write_downs=True), CleanupPlanned)
    loses = {each.partition("_")[2] for each in planned.loses}
    assert loses == {"drop: column old of public.a", "rows: table public.a"}
    texts = {path.stem.partition("_")[2]: path.read_text() for path in (tmp_path / "migrations/down").iterdir()}
    assert "-- Rows: it does not restore the rows of column old of public.a." in texts["drop"]
    assert "-- Rows:" not in texts["a"]


def test_a_file_that_was_not_replayed_completely_gets_no_down(tmp_path: Path, server: ScratchServer) -> None:
    write(tmp_path, **{"001_a": "CREATE EXTENSION no_such; CREATE TABLE a ();"})
    (planned,) = pick(clean(tmp_path, server, write_downs=True), CleanupPlanned)
    assert planned.downs == ()
    assert "the file was not replayed completely" in planned.no_down_reasons[0]


def test_the_down_of_an_extension_drops_it(tmp_path: Path, embedded: Server) -> None:
    write(tmp_path, **{"001_a": "CREATE EXTENSION hstore; CREATE TABLE a (h hstore);"})
    with ScratchServer(embedded.url()) as server:
        clean(tmp_path, server, apply=True, write_downs=True)
    (down,) = (tmp_path / "migrations/down").iterdir()
    assert "DROP EXTENSION hstore" in down.read_text()


def test_a_new_file_is_ordered_after_the_existing_migrations(tmp_path: Path, server: ScratchServer) -> None:
    write(tmp_path, **{"up/20990101000000_users": USERS, "001_notes": "-- Date: 2020-01-01\nCREATE TABLE notes ();"})
    judged = judge(tmp_path, server)
    assert judged["001_notes"].version == "20990101000001_notes"


def test_a_file_that_writes_to_the_ledger_is_refused_until_the_statement_is_deleted(
    tmp_path: Path, server: ScratchServer
) -> None:
    record = "INSERT INTO schema_migrations (migration_name, checksum) VALUES ('001_users.sql', 'x');"
    write(tmp_path, **{"001_users": f"{USERS}\n{record}"})
    before = read_tree(tmp_path)
    judged = judge(tmp_path, server)["001_users"]
    assert (judged.verdict, judged.version) == ("works", "")
    assert judged.notes == (
        "line 2 writes into schema_migrations, which a run would refuse: delete it, a run records each file itself",
    )
    with pytest.raises(FilesError, match=r"001_users\.sql: line 2 writes into schema_migrations"):
        clean(tmp_path, server, apply=True)
    assert read_tree(tmp_path) == before
    write(tmp_path, **{"001_users": USERS})
    assert pick(clean(tmp_path, server, apply=True), CleanupFinished) == [CleanupFinished(1, 0, 0, applied=True)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "002_x.sql:1 is not UTF-8: byte 0x89"),
        (b"SELECT 1;\x00", "002_x.sql:1 contains a NUL byte (U+0000), which PostgreSQL does not accept"),
        (b"<html><body>404</body></html>", "is not SQL (looks like HTML): <html><body>404</body></html>"),
        (b"CREATE TABEL a ();", 'syntax error at or near "TABEL" (42601)'),
    ],
)
def test_a_file_that_is_not_sql_is_refused_with_the_reason(
    tmp_path: Path, server: ScratchServer, data: bytes, reason: str
) -> None:
    write(tmp_path, **{"001_users": USERS})
    (tmp_path / "migrations/002_x.sql").write_bytes(data)
    judged = judge(tmp_path, server)["002_x"]
    assert judged.verdict == "fails"
    assert judged.reason.endswith(reason)
    before = read_tree(tmp_path)
    with pytest.raises(FilesError, match="fix these files first"):
        clean(tmp_path, server, apply=True)
    assert read_tree(tmp_path) == before


def test_a_missing_extension_decides_no_order_and_stops_no_other_file(tmp_path: Path, server: ScratchServer) -> None:
    """The file with the extension has no number, so that it runs last unless the others need it."""
    write(tmp_path, init="CREATE EXTENSION no_such; CREATE TABLE a (); CREATE TABLE t (n no_such_type);")
    write(tmp_path, **{"001_b": "ALTER TABLE a ADD x int;", "002_c": "CREATE TABLE c ();", "003_d": "ALTER TABLE t ADD x int;"})
    events = clean(tmp_path, server)
    (planned,) = pick(events, CleanupPlanned)
    judged = {Path(each.path).stem: each for each in planned.files}
    assert list(judged) == ["init", "001_b", "002_c", "003_d"]
    assert judged["init"].reason.startswith("needs the extension no_such, so this is not checked: ")
    assert judged["003_d"].reason.startswith("needs the extension no_such, so this is not checked: ")
    assert [each.verdict for each in judged.values()] == ["needs", "works", "works", "needs"]
    assert all(each.version for each in judged.values())
    assert planned.lacking == ("the extension no_such",)
    register_messages()
    text = "\n".join(line.text for line in format_event(planned, Style()))
    assert "SCRATCH_DATABASE_URL" in text
    assert "--without-extension no_such" in text


def test_a_table_of_a_neighbouring_folder_is_proposed_with_it(project: Project, server: ScratchServer) -> None:
    write(
        project.root,
        **{"001_a": "ALTER TABLE users ADD x int;", "002_b": "SELECT touch();", "003_c": "ALTER TABLE nowhere ADD x int;"},
    )
    TestRepository(project.root).write({"db/init/01.sql": f"{USERS} CREATE FUNCTION touch() RETURNS int RETURN 1;"})
    named = (project.migrations, project.root / "db/init")
    events = clean(project.root, server)
    judged = {Path(each.path).stem: each for each in pick(events, CleanupPlanned)[0].files}
    assert [each.verdict for each in judged.values()] == ["needs", "needs", "fails"]
    assert f"needs the table users, which {named[1]}/01.sql creates" in judged["001_a"].reason
    assert "needs the table nowhere, which no file creates" in judged["003_c"].reason
    assert not any(each.version for each in judged.values())
    (finished,) = pick(events, CleanupFinished)
    assert finished.next_command == f"inv db.cleanup-legacy --folder {named[0]} --folder {named[1]}"
    before = read_tree(project.root)
    with pytest.raises(FilesError, match="fix these files first") as refused:
        clean(project.root, server, apply=True)
    assert f"{finished.next_command} --apply" in refused.value.hint
    assert read_tree(project.root) == before
    (project.migrations / "003_c.sql").unlink()
    both = pick(clean(project.root, server, *named), CleanupPlanned)[0].files
    assert [(Path(each.path).stem, bool(each.version)) for each in both] == [("01", True), ("001_a", True), ("002_b", False)]


def test_files_that_need_a_broken_one_are_counted_and_not_blamed(tmp_path: Path, server: ScratchServer) -> None:
    write(tmp_path, **{"001_a": "CREATE TABLE a (;", "002_b": "ALTER TABLE a ADD x int;", "003_c": "ALTER TABLE a ADD y int;"})
    with pytest.raises(FilesError) as refused:
        clean(tmp_path, server, apply=True)
    assert refused.value.message.count(".sql") == 1
    assert "2 more files need what these create" in refused.value.message


def test_numbered_files_in_up_are_old_files(tmp_path: Path, server: ScratchServer) -> None:
    write(
        tmp_path, **{"up/001_a": "CREATE TABLE a ();", "down/001_a": "DROP TABLE a;", "up/20250101000000_b": "CREATE TABLE b ();"}
    )
    clean(tmp_path, server, apply=True)
    migrations = read_migrations(tmp_path / "migrations")
    assert [version.partition("_")[2] for version in migrations.checksums] == ["b", "a"]
    assert len(migrations.downs) == 1


def test_nested_files_of_flyway_are_read_in_the_order_of_their_versions(tmp_path: Path, server: ScratchServer) -> None:
    write(
        tmp_path,
        **{
            "2.0/V2__b": "ALTER TABLE a ADD b int;",
            "1.0/V1__a": "CREATE TABLE a ();",
            "1.0/more/V1_1__c": "ALTER TABLE a ADD c int;",
        },
    )
    assert [each.verdict for each in judge(tmp_path, server).values()] == ["works"] * 3


def test_without_the_extension_the_rest_of_the_file_works(embedded: Server, tmp_path: Path) -> None:
    write(tmp_path, **{"001_a": "CREATE EXTENSION no_such; CREATE TABLE a ();", "002_b": "ALTER TABLE a ADD x int;"})
    with ScratchServer(embedded.url(), without=["no_such"]) as server:
        assert [each.verdict for each in judge(tmp_path, server).values()] == ["works", "works"]


def test_files_of_one_commit_get_consecutive_seconds(repository: TestRepository, server: ScratchServer) -> None:
    repository.commit("2025-03-01T00:00:00Z", **{f"migrations__00{n}_t{n}": f"CREATE TABLE t{n} ();" for n in (1, 2)})
    judged = judge(repository.root, server)
    assert [(each.version, each.source) for each in judged.values()] == [
        ("20250301000000_t1", "git"),
        ("20250301000001_t2", "git"),
    ]


def test_a_shallow_clone_is_reported(repository: TestRepository, server: ScratchServer, tmp_path: Path) -> None:
    repository.commit("2025-03-01T00:00:00Z", migrations__001_users=USERS)
    repository.commit("2025-04-01T00:00:00Z", other="")
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(clone))
    judged = judge(clone, server)["001_users"]
    assert judged.source == "modification time"
    assert any("git fetch --unshallow" in note for note in judged.notes)


def test_an_empty_folder_has_nothing_to_do(project: Project, server: ScratchServer) -> None:
    assert clean(project.root, server, apply=True) == [CleanupFinished(0, 0, 0, applied=True)]


def test_a_missing_folder_is_refused(tmp_path: Path, server: ScratchServer) -> None:
    with pytest.raises(UsageError, match=r"there is no .*nowhere"):
        clean(tmp_path, server, tmp_path / "nowhere")


def test_a_database_with_the_old_names_runs_nothing_afterwards(tmp_path: Path, server: ScratchServer, operator: Operator) -> None:
    write(tmp_path, **{"001_users": USERS, "002_notes": "CREATE TABLE notes ();"})
    operator.make_runner().ensure_migration_table()
    for file in find_old_files([], tmp_path / "migrations"):
        checksum = hashlib.sha256(file.path.read_bytes()).hexdigest()
        operator.database.execute("INSERT INTO schema_migrations (version, checksum) VALUES (%s, %s)", file.name.stem, checksum)
    clean(tmp_path, server, apply=True)
    assert operator.make_runner(migrations_dir=tmp_path / "migrations").run_migrations() == []
    assert operator.read_tables() == []


def test_the_command_prints_a_table_or_json(project: Project, embedded: Server) -> None:
    write(project.root, **{"001_users": USERS, "002_again": "CREATE TABLE IF NOT EXISTS users (id int);"})
    for folder in ("up", "down"):
        (project.migrations / folder).rmdir()
    scratch = {"SCRATCH_DATABASE_URL": embedded.url()}
    shown = project.inv("db.cleanup-legacy", env=scratch, check=0).stdout
    assert "has no effect after 001_users, which creates the same" in shown
    assert "Would become: 1 migration, 1 set aside" in shown
    output = project.inv("db.cleanup-legacy", f"--folder={project.migrations}", "--apply", "--json", env=scratch, check=0).stdout
    assert '"kind": "cleanup_planned"' in output.splitlines()[0]
    assert "there are no old files" in project.inv("db.cleanup-legacy", "--apply", env=scratch, check=0).stdout
    project.inv("db.migrate", check=0)
