"""The histories of other tools become migrations that do the same, and their records are taken over."""

from pathlib import Path

import pytest

from tasks.catalog import Catalog, read_catalog
from tasks.console.formatters import format_event
from tasks.console.lines import Style
from tasks.legacy.cleanup import CleanupOptions
from tasks.legacy.cleanup import clean_up as clean_up_files
from tasks.legacy.events import CleanupFinished, CleanupPlanned, OldFileJudged
from tasks.legacy.investigation import plan_cleanup
from tasks.legacy.reading.contents import read_texts
from tasks.legacy.reading.sources import count_unread_sql, find_old_files
from tasks.rehearsal.events import MigrationVerified, VerifyFinished
from tasks.rehearsal.model import read_migration_pairs
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.rehearsal.verify.verify import VerifyOptions, verify
from tasks.report.cleanup import register_messages
from tasks.runner.errors import RefusedError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.parsing import read_script
from tests.adopt.adopting import Adopter
from tests.kit.databases import Database
from tests.legacy.test_cleanup import clean, judge
from tests.legacy.tool_histories import FORMS, HISTORIES, RECORDS, ToolHistory
from tests.runner.operating import Operator, list_done, pick

recorded = pytest.mark.parametrize(
    "history", [each for each in HISTORIES.values() if each.record], ids=[name for name, each in HISTORIES.items() if each.record]
)


def read_schema(database: Database) -> Catalog:
    """Read the schema without the ledger."""
    return database.ask(read_catalog)


def write(root: Path, history: ToolHistory) -> None:
    """Write the files of a history in place of the migrations of a project."""
    for name, text in history.files.items():
        path = root / "migrations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def clean_up(root: Path, history: ToolHistory, scratch: ScratchServer) -> None:
    """Write a history and clean it up; no file may be set aside."""
    for folder in ("up", "down"):
        if (root / "migrations" / folder).is_dir():
            (root / "migrations" / folder).rmdir()
    write(root, history)
    (finished,) = pick(clean(root, scratch, apply=True), CleanupFinished)
    assert (finished.aside, finished.blocked, finished.unread) == (0, 0, ())


def check_pairs(scratch: ScratchServer, folder: Path) -> None:
    """Check that each migration has a down, and that verify finds nothing."""
    migrations = read_migrations(folder)
    assert migrations.downs == set(migrations.checksums)
    rehearsed = read_migration_pairs(migrations)
    *_, verified = verify(scratch, Selection(rehearsed, tuple(each.name for each in rehearsed), "all"), VerifyOptions())
    assert isinstance(verified, VerifyFinished)
    assert (verified.found, verified.mild) == (0, 0)


def run(database: Database, statements: tuple[str, ...]) -> None:
    """Run statements one by one, as a tool sends them."""
    for statement in statements:
        database.execute(statement)


def list_statements(data: bytes) -> list[str]:
    """Return the statements of a text as the runner reads them."""
    return [statement.text for statement in read_script(data.decode(), file="", version="").statements]


@recorded
def test_a_history_does_the_same_and_its_record_is_taken_over(
    operator: Operator, scratch: ScratchServer, history: ToolHistory
) -> None:
    """It takes seconds because the history is replayed for each verdict, each verification and the adoption."""
    database, adopter = operator.database, Adopter(operator, scratch)
    clean_up(operator.project.root, history, scratch)
    check_pairs(scratch, operator.project.migrations)
    empty = read_schema(database)
    run(database, history.up)
    expected = read_schema(database)
    database.execute(history.record)
    rows = adopter.examine(dumps=False).answer.rows
    assert {(row.verdict, bool(row.claimed), row.contradicted) for row in rows} == {("present", True, False)}
    adopter.adopt()
    assert list_done(operator.migrate()) == []
    database.execute(f"DROP TABLE IF EXISTS schema_migrations_old, {', '.join(RECORDS)}")
    assert len(list_done(operator.roll_back(to="0"))) == 3
    assert read_schema(database) == empty
    assert len(list_done(operator.migrate())) == 3
    assert read_schema(database) == expected
    run(database, history.down)
    assert read_schema(database) == empty


def test_files_of_all_tools_in_one_folder_do_what_each_tool_does(operator: Operator, scratch: ScratchServer) -> None:
    """It takes seconds because there is a file of each tool."""
    names = {tool: f"{number:03}_{tool.split()[0].lower()}".replace("-", "") for number, tool in enumerate(FORMS, 1)}
    texts = {tool: (f"CREATE TABLE t{name} (id int);", f"DROP TABLE t{name};") for tool, name in names.items()}
    files = {f"{names[tool]}.sql": form.format(up=texts[tool][0], down=texts[tool][1]) for tool, form in FORMS.items()}
    clean_up(operator.project.root, ToolHistory(files), scratch)
    check_pairs(scratch, operator.project.migrations)
    assert len(list_done(operator.migrate())) == len(FORMS)
    assert operator.read_tables() == sorted(f"t{name}" for name in names.values())
    operator.roll_back(to="0")
    assert operator.read_tables() == []


@pytest.mark.parametrize("history", HISTORIES.values(), ids=[name.replace(" ", "_") for name in HISTORIES])
def test_both_texts_have_exactly_the_statements_that_the_tool_sends(tmp_path: Path, history: ToolHistory) -> None:
    write(tmp_path, history)
    texts = [read_texts(file) for file in find_old_files([], tmp_path / "migrations")]
    assert [list_statements(each.up) for each in texts] == [[text.rstrip(";")] for text in history.up]
    assert [list_statements(each.down or b"") for each in texts] == [[text.rstrip(";")] for text in reversed(history.down)]
    assert not any(each.fault for each in texts)


UNSPLITTABLE = {
    "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n-- +goose Up\nSELECT 3;": "line 5 begins a second up section",
    "-- +goose Down\nSELECT 2;\n-- +goose Up\nSELECT 1;": "line 1 begins a down section before the up section",
    "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${NAME}';": "line 3 contains ${, which goose replaces",
    "-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n-- +goose Down\nSELECT 2;": "line 4 begins a section inside a statement",
    "  --+goose up\nSELECT 1;\n--+goose down\nSELECT 2;": "line 1 resembles a mark of goose",
    "SELECT 1;\n-- +migrate Up\nSELECT 2;\n-- +migrate Down\nSELECT 3;": "line 1 is before the first section",
    "SELECT '{{.schema}}';\n---- create above / drop below ----\nSELECT 2;": "line 1 contains {{, which tern replaces",
    "-- @DELIMITER |\nSELECT 1|\n-- //@UNDO\nSELECT 2|": "line 1 changes the end of a statement",
    "--liquibase formatted sql\n--changeset a:1 dbms:oracle\nSELECT 1;\n--rollback SELECT 2;": "line 2 is for other databases",
    "--liquibase formatted sql\n--changeset a:1 context:test\nSELECT 1;\n--rollback SELECT 2;": "line 2 has an attribute",
    "--liquibase formatted sql\n--changeset a:1 runOnChange:true\nSELECT 1;\n--rollback SELECT 2;": "line 2 does not run exactly",
    "--liquibase formatted sql\n--changeset a:1\n--preconditions onFail:HALT\nSELECT 1;\n--rollback SELECT 2;": "line 3 is a pre",
}


@pytest.mark.parametrize(("text", "reason"), UNSPLITTABLE.items(), ids=list(UNSPLITTABLE.values()))
def test_a_file_that_cannot_be_split_exactly_stops_the_clean_up(
    tmp_path: Path, scratch: ScratchServer, text: str, reason: str
) -> None:
    write(tmp_path, ToolHistory({"001_x.sql": text}))
    judged = judge(tmp_path, scratch)["001_x"]
    assert (judged.stops, judged.verdict, judged.reason[: len(reason)]) == (True, "fails", reason)


def judge_all(root: Path, scratch: ScratchServer, files: dict[str, str]) -> dict[str, OldFileJudged]:
    write(root, ToolHistory(files))
    return judge(root, scratch)


def test_a_repeatable_file_is_set_aside_with_the_reason(tmp_path: Path, scratch: ScratchServer) -> None:
    judged = judge_all(tmp_path, scratch, {"V1__a.sql": "CREATE TABLE a ();", "R__v.sql": "CREATE VIEW v AS SELECT 1;"})
    assert (judged["R__v"].verdict, judged["R__v"].version) == ("repeatable", "")
    assert judged["R__v"].reason.startswith("Flyway runs it after each change")
    assert judged["V1__a"].version


def test_dates_in_names_date_the_migrations(tmp_path: Path, scratch: ScratchServer) -> None:
    files = {"20260317_init.sql": "CREATE TABLE a ();", "2024-01-05-first.sql": "CREATE TABLE b ();"}
    judged = judge_all(tmp_path, scratch, files)
    assert [each.version for each in judged.values()] == ["20240105000000_first", "20260317000000_init"]


def test_a_down_section_without_a_statement_becomes_no_down_file(tmp_path: Path, scratch: ScratchServer) -> None:
    write(tmp_path, ToolHistory({"001_a.sql": "-- +goose Up\nCREATE TABLE a ();\n-- +goose Down\n-- nothing\n"}))
    clean(tmp_path, scratch, apply=True)
    migrations = read_migrations(tmp_path / "migrations")
    (version,) = migrations.checksums
    assert migrations.downs == frozenset()
    assert migrations.up_path(version).read_text().endswith("\n\nCREATE TABLE a ();\n")


def test_a_file_in_up_with_both_directions_is_split_in_its_place(tmp_path: Path, scratch: ScratchServer) -> None:
    version = "20240101000000_a"
    later = {"up/20240102000000_b.sql": "ALTER TABLE a ADD b int;"}
    files = {f"up/{version}.sql": "-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;\n", **later}
    write(tmp_path, ToolHistory(files))
    clean(tmp_path, scratch, apply=True)
    folder = tmp_path / "migrations"
    assert (folder / "up" / f"{version}.sql").read_text() == "CREATE TABLE a ();\n"
    assert (folder / "down" / f"{version}.sql").read_text() == "DROP TABLE a;\n"
    assert read_migrations(folder).both_directions == {}
    assert pick(clean(tmp_path, scratch, apply=True), CleanupFinished) == [CleanupFinished(0, 0, 0, applied=True)]


def test_verify_and_adopt_run_no_file_with_both_directions(operator: Operator, scratch: ScratchServer) -> None:
    version = "20240101000000_a"
    operator.write(version, "-- +goose Up\nCREATE TABLE IF NOT EXISTS a ();\n-- +goose Down\nDROP TABLE a;\n")
    rehearsed = read_migration_pairs(read_migrations(operator.project.migrations))
    _, verified, _ = verify(scratch, Selection(rehearsed, (version,), "all"), VerifyOptions())
    assert isinstance(verified, MigrationVerified)
    assert any("contains both directions" in str(finding) for finding in verified.findings)
    operator.database.execute("CREATE TABLE a (); CREATE TABLE b ()")
    with pytest.raises(RefusedError, match="these files contain both directions") as refused:
        Adopter(operator, scratch).examine(dumps=False)
    assert "inv db.cleanup-legacy" in refused.value.hint
    assert operator.read_tables() == ["a", "b"]


def test_sql_in_other_folders_is_named(tmp_path: Path) -> None:
    write(
        tmp_path, ToolHistory({"2024/001_a.sql": "SELECT 1;", "2024/002_b.sql": "SELECT 2;", "_old/x.sql": "", "x/y/z.sql": ""})
    )
    folder = tmp_path / "migrations"
    files = find_old_files([], folder)
    assert files == ()
    named = count_unread_sql([], folder, files)
    assert [each.removeprefix(f"{folder}/") for each in named] == ["2024 (2 SQL files)", "x/y (1 SQL file)"]


def test_unread_sql_is_no_success(tmp_path: Path, scratch: ScratchServer) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (finished,) = clean_up_files(plan_cleanup((), folder, scratch), scratch, CleanupOptions(unread=("2024 (2 SQL files)",)))
    register_messages()
    (line,) = format_event(finished, Style())
    assert line.text == "⚠️  Not read: 2024 (2 SQL files); name the folder with --folder to include it"


def test_the_files_without_a_proposed_down_are_named(tmp_path: Path, scratch: ScratchServer) -> None:
    write(tmp_path, ToolHistory({"001_a.sql": "CREATE TABLE a ();", "002_b.sql": "INSERT INTO a DEFAULT VALUES;"}))
    (planned,) = pick(clean(tmp_path, scratch, write_downs=True), CleanupPlanned)
    first, second = (each.version for each in planned.files)
    assert (planned.downs, planned.no_downs) == ((first,), (second,))
