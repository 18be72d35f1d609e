"""Names of before: how renames.toml is read, and how rows of the ledger get the names of today."""

import hashlib

import pytest

from tasks.runner.errors import FilesError, RefusedError, StatementError
from tasks.runner.events import PlanMade, RepairProposed
from tasks.runner.identity import LEDGER_FORMAT
from tasks.runner.ledger.reading import Attempt, Ledger
from tasks.runner.ledger.renames import Rename, Renames, apply_renames, filter_renames, read_renames, write_renames
from tests.runner.operating import A, B, C, Operator, list_done, pick

OLD = "001_create_a"
BODY = "CREATE TABLE a (id int);"


def write(operator: Operator, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (operator.project.migrations / "renames.toml").write_bytes(data)


def read(operator: Operator, *versions: str) -> Renames:
    return read_renames(operator.project.migrations, versions)


def know_as(operator: Operator, recorded: str, version: str = A) -> None:
    """Apply a version, and let the database know it by another name, as if its file had been called that."""
    operator.write_tables(version)
    operator.migrate()
    for table in ("schema_migrations", "schema_migrations_scripts", "schema_migrations_log"):
        operator.database.execute(f"UPDATE {table} SET version = %s WHERE version = %s", recorded, version)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[renames", "is not TOML"),
        (b"\xff", "is not UTF-8"),
        (f'[names]\n"{OLD}" = "{A}"', "names: only the tables [renames], [headers], [superseded], [squashed] are allowed"),
        ("renames = 1", "must be tables"),
        ('[superseded]\n"x" = 1', "x: the reason in [superseded] must be a string"),
        (f'[renames]\n"{OLD}" = 1', f"{OLD}: the version on the right must be a string in quotes"),
        (f'[renames]\n"{OLD}" = "{B}"', f"{OLD}: no file for {B}"),
        (f'[renames]\n"{OLD}" = "{OLD}"', f"{OLD}: is renamed to itself"),
        (f'[renames]\n"{A}" = "{A}"', f"{A}: is the name of an existing file"),
        ('[renames]\n"x" = "y"\n"y" = "z"\n"z" = "y"', "x: is renamed in a circle: x → y → z → y"),
        (f'[renames]\n"{OLD}" = "{A}"\n"{OLD}.sql" = "{B}"', f"{OLD}.sql: is renamed twice, to {A} and to {B}"),
        (f'[renames]\n"{OLD}" = "{A}"\n[headers]\n"{OLD}" = ["1"]', f"{OLD}: [headers] needs two checksums"),
        ('[headers]\n"x" = ["1", "2"]', "x: is in [headers], but not in [renames]"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_error(operator: Operator, text: str | bytes, problem: str) -> None:
    operator.write_tables(A)
    write(operator, text)
    with pytest.raises(FilesError) as refused:
        operator.migrate()
    assert problem in refused.value.message
    assert refused.value.hint
    assert operator.read_tables() == []


def test_all_errors_are_reported_at_once(operator: Operator) -> None:
    write(operator, '[renames]\n"x" = "x"\n"y" = "nowhere"')
    with pytest.raises(FilesError) as refused:
        read(operator, A)
    assert len(refused.value.problems) == 2


def test_without_a_file_nothing_was_renamed(operator: Operator) -> None:
    assert read(operator, A) == Renames()


def test_names_are_read_without_their_endings_and_followed_to_a_version_that_has_a_file(operator: Operator) -> None:
    write(operator, f'[renames]\n"x.up.sql" = "{B}.sql"\n"{B}" = "{A}"')
    assert read(operator, A).versions == {"x": A, B: A}


def test_what_is_written_is_read_again(operator: Operator) -> None:
    renames = Renames({'001_"quoted" \\ ü\x7f': A, "002_b": B}, {"002_b": ("1" * 64, "2" * 64)}, {"003_c": "fails"})
    write(operator, write_renames(renames))
    assert read(operator, A, B) == renames


@pytest.mark.parametrize("recorded", [OLD, f"{OLD}.sql", f"{OLD}.up.sql"])
def test_a_row_with_an_old_name_gets_the_name_of_today_and_nothing_runs(any_operator: Operator, recorded: str) -> None:
    know_as(any_operator, recorded)
    write(any_operator, f'[renames]\n"{OLD}" = "{A}"')
    before = any_operator.database.query("SELECT applied_at, applied_by, checksum FROM schema_migrations")
    assert list_done(any_operator.migrate()) == []
    assert any_operator.read_applied() == [A]
    assert any_operator.database.query("SELECT applied_at, applied_by, checksum FROM schema_migrations") == before
    assert any_operator.database.query("SELECT version, up_text FROM schema_migrations_scripts") == [(A, BODY)]
    assert any_operator.read_log()[-3:] == [("migrate", "started", ""), ("rename", "finished", A), ("migrate", "finished", "")]
    assert any_operator.database.query("SELECT note FROM schema_migrations_log WHERE action = 'rename'") == [(f"was {recorded}",)]
    log = any_operator.read_log()
    any_operator.migrate()
    assert any_operator.read_log() == log


def test_pending_files_run_after_the_renaming(operator: Operator) -> None:
    know_as(operator, OLD)
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    operator.write_tables(B)
    assert list_done(operator.migrate()) == [B]
    assert operator.read_applied() == [A, B]


def test_status_and_dry_run_show_what_will_be_and_change_nothing(operator: Operator) -> None:
    know_as(operator, OLD)
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    status = operator.read_status()
    assert [(row.version, row.state) for row in status.rows] == [(A, "applied")]
    assert status.rows[0].applied_at
    assert status.findings == ()
    (plan,) = pick(operator.migrate(dry_run=True), PlanMade)
    assert plan.steps == ()
    assert [(finding.kind, finding.version) for finding in plan.findings] == [("renamed", A)]
    assert operator.read_applied() == [OLD]


def test_if_both_names_are_recorded_the_old_row_is_dropped(operator: Operator) -> None:
    know_as(operator, OLD)
    operator.database.execute("INSERT INTO schema_migrations SELECT %s, applied_at FROM schema_migrations", A)
    operator.database.execute("INSERT INTO schema_migrations_scripts VALUES (%s, %s)", A, BODY)
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    operator.migrate()
    assert operator.read_applied() == [A]
    assert operator.database.query("SELECT version FROM schema_migrations_scripts") == [(A,)]
    assert operator.database.query("SELECT note FROM schema_migrations_log WHERE action = 'rename'") == [(f"dropped: {OLD}",)]


def test_of_two_old_names_for_one_version_the_first_applied_becomes_its_row(operator: Operator) -> None:
    know_as(operator, OLD)
    operator.database.execute(
        "INSERT INTO schema_migrations SELECT '002_b', applied_at + interval '1 day' FROM schema_migrations"
    )
    write(operator, f'[renames]\n"{OLD}" = "{A}"\n"002_b" = "{A}"')
    operator.migrate()
    assert operator.read_applied() == [A]
    notes = operator.database.query("SELECT note FROM schema_migrations_log WHERE action = 'rename' ORDER BY id")
    assert notes == [(f"was {OLD}",), ("dropped: 002_b",)]


def write_header(operator: Operator) -> str:
    """Write a header into the file as a cleanup does, and return both checksums as in renames.toml."""
    text = f"-- Migration: {A}.sql\n{BODY}"
    operator.write(A, text)
    return ", ".join(f'"{hashlib.sha256(each.encode()).hexdigest()}"' for each in (BODY, text))


def test_a_header_that_was_added_by_a_rename_is_not_an_edit(operator: Operator) -> None:
    know_as(operator, OLD)
    checksums = write_header(operator)
    write(operator, f'[renames]\n"{OLD}" = "{A}"\n[headers]\n"{OLD}" = [{checksums}]')
    assert operator.read_states() == {A: "applied"}
    operator.migrate()
    assert operator.read_states() == {A: "applied"}


def test_a_text_that_was_another_before_its_header_stays_edited(operator: Operator) -> None:
    know_as(operator, OLD)
    operator.database.execute("UPDATE schema_migrations SET checksum = 'of another text'")
    checksums = write_header(operator)
    write(operator, f'[renames]\n"{OLD}" = "{A}"\n[headers]\n"{OLD}" = [{checksums}]')
    assert operator.read_states() == {A: "edited"}


def test_an_edit_after_the_renaming_is_found_with_its_diff(operator: Operator) -> None:
    know_as(operator, OLD)
    checksums = write_header(operator)
    write(operator, f'[renames]\n"{OLD}" = "{A}"\n[headers]\n"{OLD}" = [{checksums}]')
    operator.write(A, "CREATE TABLE a (id bigint);")
    assert operator.read_states() == {A: "edited"}
    assert f"-{BODY}" in operator.read_status().findings[0].diff
    with pytest.raises(RefusedError, match="differs from the text that was applied"):
        operator.migrate()
    assert operator.read_applied() == [OLD]


def test_a_renamed_migration_rolls_back_by_the_text_stored_under_its_old_name(operator: Operator) -> None:
    know_as(operator, OLD)
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    (operator.project.migrations / "down" / f"{A}.sql").unlink()
    assert list_done(operator.roll_back()) == [A]
    assert operator.read_tables() == []
    assert operator.read_applied() == []


def test_a_repair_writes_to_the_renamed_row(operator: Operator) -> None:
    know_as(operator, OLD)
    operator.database.execute("UPDATE schema_migrations SET checksum = NULL")
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    assert [event.version for event in pick(operator.repair(), RepairProposed)] == [A]
    assert operator.database.query("SELECT version, checksum IS NULL FROM schema_migrations") == [(A, False)]


def test_what_is_half_applied_under_its_old_name_is_refused(operator: Operator) -> None:
    operator.write(C, "BEGIN; CREATE TABLE c (); COMMIT; BEGIN; SELECT 1/0; COMMIT;")
    with pytest.raises(StatementError):
        operator.migrate()
    operator.database.execute("UPDATE schema_migrations_log SET version = %s WHERE version = %s", OLD, C)
    write(operator, f'[renames]\n"{OLD}" = "{C}"')
    with pytest.raises(RefusedError, match=f"{OLD} is partly applied"):
        operator.migrate()
    assert operator.read_tables() == ["c"]


def test_a_ledger_of_format_1_is_brought_to_this_format_by_the_next_run(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute(
        "UPDATE schema_migrations_meta SET value = '1' WHERE key = 'format';"
        " ALTER TABLE schema_migrations_log DROP COLUMN note, DROP CONSTRAINT schema_migrations_log_action_check,"
        " ADD CONSTRAINT schema_migrations_log_action_check CHECK (action <> 'rename')"
    )
    operator.database.execute("UPDATE schema_migrations SET version = %s", OLD)
    assert operator.read_history()[0].action == "migrate"
    write(operator, f'[renames]\n"{OLD}" = "{A}"')
    operator.migrate()
    assert operator.read_applied() == [A]
    assert operator.database.query("SELECT value FROM schema_migrations_meta WHERE key = 'format'") == [(str(LEDGER_FORMAT),)]


def test_the_ledger_stays_as_it_is_where_nothing_was_renamed() -> None:
    ledger = Ledger(checksums={A: "1"}, attempts={A: Attempt("migrate", "failed", 0, 1, "", "", "", "")})
    assert apply_renames(ledger, Renames({OLD: A})) == (ledger, ())


def test_a_rename_that_another_run_has_done_is_skipped() -> None:
    todo = (Rename(OLD, A), Rename("002_b", B))
    assert filter_renames(todo, Ledger(checksums={A: None, "002_b": None, B: None})) == (Rename("002_b", B, drops=True),)
