"""Parsing the names of old files."""

import pytest

from tasks.legacy.reading.names import OldName, read_name
from tasks.runner.files.versions import VERSION_PATTERN


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("003_add_rbac_tables", OldName("003_add_rbac_tables", "numbered", (3,), "add_rbac_tables")),
        ("001-add-users", OldName("001-add-users", "numbered", (1,), "add_users")),
        ("1.2 add users", OldName("1.2 add users", "numbered", (1, 2), "add_users")),
        ("007", OldName("007", "numbered", (7,), "migration")),
        ("003_2fa", OldName("003_2fa", "numbered", (3,), "migration_2fa")),
        ("V1__Create_Users", OldName("V1__Create_Users", "numbered", (1,), "create_users")),
        ("V1_2__add_users", OldName("V1_2__add_users", "numbered", (1, 2), "add_users")),
        ("V1.2__add_users", OldName("V1.2__add_users", "numbered", (1, 2), "add_users")),
        ("R__refresh_views", OldName("R__refresh_views", "repeatable", None, "refresh_views")),
        ("000001_init.up", OldName("000001_init", "numbered", (1,), "init")),
        ("supabase_profiles", OldName("supabase_profiles", "unnumbered", None, "supabase_profiles")),
        ("init-local-database", OldName("init-local-database", "unnumbered", None, "init_local_database")),
        ("Vector search", OldName("Vector search", "unnumbered", None, "vector_search")),
        ("таблица", OldName("таблица", "unnumbered", None, "migration")),
        ("20250813140000_x", OldName("20250813140000_x", "timestamped", None, "x", "20250813140000")),
        ("2025-08-13-140000_x", OldName("2025-08-13-140000_x", "timestamped", None, "x", "20250813140000")),
        ("20260317_init", OldName("20260317_init", "timestamped", None, "init", "20260317000000")),
        ("2024-01-05-init", OldName("2024-01-05-init", "timestamped", None, "init", "20240105000000")),
        ("202401050910_init", OldName("202401050910_init", "timestamped", None, "init", "20240105091000")),
        ("V20240105__init", OldName("V20240105__init", "timestamped", None, "init", "20240105000000")),
        ("1414549381268_x", OldName("1414549381268_x", "timestamped", None, "x", "20141029022301")),
        ("1414549381-x", OldName("1414549381-x", "timestamped", None, "x", "20141029022301")),
        ("20240230_x", OldName("20240230_x", "numbered", (20240230,), "x")),
        ("20240105_02_init", OldName("20240105_02_init", "timestamped", (2,), "init", "20240105000000")),
        ("20240105.2_init", OldName("20240105.2_init", "timestamped", (2,), "init", "20240105000000")),
        ("m20240105_143000_x", OldName("m20240105_143000_x", "unnumbered", None, "m20240105_143000_x", "20240105143000")),
    ],
)
def test_a_name_is_parsed(stem: str, name: OldName) -> None:
    read = read_name(stem)
    assert read == name
    assert VERSION_PATTERN.fullmatch(f"20250101000000_{read.description}")


@pytest.mark.parametrize(
    ("stem", "timestamp"),
    [
        ("20250813140000_x", "20250813140000"),
        ("2025-08-13-140000_x", "20250813140000"),
        ("20250899140000_x", ""),
        ("003_x", ""),
        ("14145493812_x", ""),
        ("20250230140000_x", ""),
        ("2024_01_05_1430_init", "20240105143000"),
        ("20240105T1430", "20240105143000"),
        ("20240105T143000Z_x", "20240105143000"),
        ("2024-01-05T14:30:00_x", "20240105143000"),
        ("2024-01-05_14-30-00_x", "20240105143000"),
        ("2024-01-05T14-30-00.000Z_x", "20240105143000"),
        ("20240105143000123_x", "20240105143000"),
        ("2024.01.05_x", "20240105000000"),
        ("V2024_01_05__x", "20240105000000"),
        ("V2024.01.05.1430__x", "20240105143000"),
        ("1704412800000-Init", "20240105000000"),
        ("1704412800000Init", "20240105000000"),
        ("20240229_x", "20240229000000"),
        ("20230229_x", ""),
        ("20241345", ""),
        ("20201_x", ""),
        ("001", ""),
        ("202401_x", ""),
        ("99991231_x", ""),
        ("release-2024-01-05-x", "20240105000000"),
        ("init_20240105", "20240105000000"),
        ("add_v20241345", ""),
        ("table_120240105", ""),
    ],
)
def test_a_number_is_a_timestamp_only_if_it_is_a_valid_time(stem: str, timestamp: str) -> None:
    assert read_name(stem).timestamp == timestamp


@pytest.mark.parametrize(
    ("stem", "number"),
    [
        ("20241345_x", "20241345"),
        ("20240230140000_x", "20240230140000"),
        ("2024-13-01_x", "2024-13-01"),
        ("20240105_x", ""),
        ("001_x", ""),
    ],
)
def test_a_number_that_resembles_a_date_is_recognised(stem: str, number: str) -> None:
    assert read_name(stem).wrong_date == number


def test_a_long_description_is_truncated() -> None:
    assert VERSION_PATTERN.fullmatch(f"20250101000000_{read_name('001_' + 'x' * 300).description}")
