"""Which versions of PostgreSQL a run of the tests uses."""

import pytest

from tests.kit.majors import choose_majors, describe_majors, uses_versions


@pytest.mark.parametrize(
    ("present", "option", "chosen"),
    [([14, 15, 18], None, [18, 14]), ([18], None, [18]), ([14, 15, 16, 17, 18], "15,16,17", [17, 16, 15])],
)
def test_a_run_uses_the_newest_and_the_oldest_version_or_those_of_the_option(
    present: list[int], option: str | None, chosen: list[int]
) -> None:
    assert choose_majors(present, option) == chosen


@pytest.mark.parametrize("option", ["17", "15,17", "new", ""])
def test_a_version_that_is_not_present_is_wrong_usage(option: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"--majors={option}"):
        choose_majors([15, 18], option)


def test_a_run_without_older_servers_names_the_script_that_downloads_them() -> None:
    assert describe_majors([18], [18]).endswith("./scripts/download-servers.sh downloads them")
    assert describe_majors([14, 18], [18, 14]) == "PostgreSQL: 18, 14 (present: 14, 18)"


@pytest.mark.parametrize(
    ("folder", "fixtures", "several"),
    [
        ("stress", ("operator", "programs"), True),
        ("runner/ledger", ("programs",), True),
        ("runner/ledger", ("tmp_path",), False),
        ("runner/execution", ("programs",), False),
        ("runner/execution", ("any_database", "programs"), True),
        ("fly", ("older_server",), True),
    ],
)
def test_a_test_runs_on_several_versions_by_its_folder_or_its_fixtures(
    folder: str, fixtures: tuple[str, ...], several: bool
) -> None:
    assert uses_versions(folder, fixtures) == several
