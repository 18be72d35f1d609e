"""Finding old files: their order, their pairs, and names that are ambiguous."""

from pathlib import Path

import pytest

from tasks.legacy.reading.files import read_old_files
from tasks.runner.errors import FilesError
from tests.legacy.history import INIT, LEGACY, PERSONAS


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("SELECT 1;")


def list_pairs(folder: Path, *others: Path) -> list[tuple[str, str]]:
    return [(file.path.name, file.down.name if file.down else "") for file in read_old_files(folder, *others)]


def test_the_files_are_read_in_the_order_of_their_numbers() -> None:
    names = [file.path.name for file in read_old_files(LEGACY / "migrations", INIT, PERSONAS)]
    assert names[:5] == [
        "001_create_asset_tables.sql",
        "002_create_kb_tables.sql",
        "003_add_rbac_tables.sql",
        "003_create_kb_permissions.sql",
        "004_create_conversations.sql",
    ]
    assert names[-4:] == [
        "create_persona_tables.sql",
        "init-local-database.sql",
        "supabase_auth_profiles.sql",
        "supabase_persona_policies.sql",
    ]
    assert len(names) == 15


def test_numbered_files_come_first_then_timestamps_then_all_others(tmp_path: Path) -> None:
    write(tmp_path, "R__v.sql", "z.sql", "20250101000000_t.sql", "10_b.sql", "9_a.sql", "V9_1__c.sql")
    names = [name for name, _ in list_pairs(tmp_path)]
    assert names == ["9_a.sql", "V9_1__c.sql", "10_b.sql", "20250101000000_t.sql", "z.sql", "R__v.sql"]


def test_files_of_one_day_are_ordered_by_their_time_or_their_number(tmp_path: Path) -> None:
    write(tmp_path, "20240105.10_c.sql", "20240105.2_b.sql", "2024-01-05_a.sql", "202401060900_e.sql", "20240105T1430_d.sql")
    names = [name for name, _ in list_pairs(tmp_path)]
    assert names == [
        "2024-01-05_a.sql",
        "20240105.2_b.sql",
        "20240105.10_c.sql",
        "20240105T1430_d.sql",
        "202401060900_e.sql",
    ]


@pytest.mark.parametrize(
    ("up", "down"),
    [
        ("001_x.up.sql", "001_x.down.sql"),
        ("001_x.sql", "001_x.rollback.sql"),
        ("001_x.sql", "001_x.down.sql"),
        ("001_x.sql", "001_x.undo.sql"),
        ("001_x.sql", "001_x_down.sql"),
        ("001_x.sql", "001_x_rollback.sql"),
        ("V1__x.sql", "U1__x.sql"),
        ("x.sql", "x.rollback.sql"),
    ],
)
def test_a_down_migration_is_paired_with_its_up(tmp_path: Path, up: str, down: str) -> None:
    write(tmp_path, up, down)
    assert list_pairs(tmp_path) == [(up, down)]


def test_a_name_that_only_resembles_a_down_migration_is_an_up(tmp_path: Path) -> None:
    write(tmp_path, "001_close_down.sql", "002_undo_rollback.sql", "UsersTable.sql")
    assert [down for _, down in list_pairs(tmp_path)] == ["", "", ""]


def test_files_that_are_not_migrations_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, "_draft.sql", ".hidden.sql", "notes.md", "001_x.sql")
    (tmp_path / "up").mkdir()
    assert list_pairs(tmp_path) == [("001_x.sql", "")]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    write(tmp_path, "001_x.sql", "001_x.up.sql", "002_y.down.sql")
    (tmp_path / "003_folder.sql").mkdir()
    with pytest.raises(FilesError) as refused:
        read_old_files(tmp_path, tmp_path / "elsewhere.sql")
    problems = " ".join(refused.value.problems)
    assert len(refused.value.problems) == 4
    for part in (
        "have the same name",
        "is a down migration",
        "003_folder.sql: is not a file",
        "elsewhere.sql: is not a file",
    ):
        assert part in problems


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="there is no folder"):
        read_old_files(tmp_path / "nowhere")
