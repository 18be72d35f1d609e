"""The rules of a version, and how a name and a timestamp become one."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tasks.runner.errors import RefusedError, UsageError
from tasks.runner.files.versions import (
    MAX_DESCRIPTION_LENGTH,
    MAX_VERSION_LENGTH,
    VERSION_PATTERN,
    describe_fault,
    newest_timestamp,
    next_timestamp,
    to_snake_case,
)

GOOD = [
    "20250813140000_create_conversations_table",
    "19700101000000_a",
    "29991231235959_z",
    "20250813140000_Upper-Case_and_2_digits",
    "20250813140000__",
    "20250231000000_the_day_need_not_exist",
    "20250813140000_".ljust(MAX_VERSION_LENGTH, "a"),
]

FAULTS = {
    "": "no timestamp: rename to YYYYMMDDHHMMSS_description.sql",
    "supabase_auth": "no timestamp: rename to YYYYMMDDHHMMSS_description.sql",
    "003_add_rbac_tables": "a timestamp has 14 digits, this one has 3: rename to YYYYMMDDHHMMSS_description.sql",
    "202508131400001_a": "a timestamp has 14 digits, this one has 15: rename to YYYYMMDDHHMMSS_description.sql",
    "19690101000000_a": "year 1969 does not exist (1970 to 2999)",
    "30000101000000_a": "year 3000 does not exist (1970 to 2999)",
    "20251301000000_a": "month 13 does not exist (01 to 12)",
    "20250001000000_a": "month 00 does not exist (01 to 12)",
    "20250132000000_a": "day 32 does not exist (01 to 31)",
    "20250100000000_a": "day 00 does not exist (01 to 31)",
    "20250101240000_a": "hour 24 does not exist (00 to 23)",
    "20250101006000_a": "minute 60 does not exist (00 to 59)",
    "20250101000060_a": "second 60 does not exist (00 to 59)",
    "20250101000000": "no description after the timestamp: rename to YYYYMMDDHHMMSS_description.sql",
    "20250101000000_": "no description after the timestamp: rename to YYYYMMDDHHMMSS_description.sql",
    "20250101000000-a": "'-' after the timestamp instead of '_': rename to YYYYMMDDHHMMSS_description.sql",
    "20250101000000_a b": "' ' in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed",
    "20250101000000_café": "'é' in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed",
    "20250101000000_a\n": "'\\n' in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed",
    "20250101000000_a\udcff": "'\\udcff' in the description: only a-z, A-Z, 0-9, '_' and '-' are allowed",
    "٢٠٢٥٠١٠١٠٠٠٠٠٠_a": "no timestamp: rename to YYYYMMDDHHMMSS_description.sql",
    "20250101000000_".ljust(256, "a"): "longer than 255 characters (256): shorten the description",
}


@pytest.mark.parametrize("stem", GOOD)
def test_a_good_version_matches_and_has_no_fault(stem: str) -> None:
    assert VERSION_PATTERN.fullmatch(stem)
    assert describe_fault(stem) is None


@pytest.mark.parametrize(("stem", "fault"), FAULTS.items())
def test_a_bad_version_does_not_match_and_the_broken_rule_is_named(stem: str, fault: str) -> None:
    assert not VERSION_PATTERN.fullmatch(stem)
    assert describe_fault(stem) == fault


@pytest.mark.parametrize("position", range(16))
@pytest.mark.parametrize("replacement", ["", "0", "3", "9", "_", "-", "a", "é", ".", "\0"])
def test_a_fault_is_described_exactly_when_the_pattern_does_not_match(position: int, replacement: str) -> None:
    good = "20250813140000_a"
    stem = good[:position] + replacement + good[position + 1 :]
    assert (describe_fault(stem) is None) == bool(VERSION_PATTERN.fullmatch(stem))


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("add_user_settings_table", "add_user_settings_table"),
        ("Add User Settings", "add_user_settings"),
        ("addUserSettings", "add_user_settings"),
        ("AddAPIKeys", "add_api_keys"),
        ("add-user-settings", "add_user_settings"),
        ("ADD_USER_SETTINGS", "add_user_settings"),
        ("  add\tuser\nsettings  ", "add_user_settings"),
        ("__add__user..settings!__", "add_user_settings"),
        ("add the user's settings", "add_the_users_settings"),
        ("add 2fa to users", "add_2fa_to_users"),
        ("créer été", "creer_ete"),
        ("cre\u0301er", "creer"),
        ("Größe ändern", "grosse_andern"),
        ("flytte Ærø", "flytte_aero"),
        ("add_user_settings.sql", "add_user_settings"),
        ("add_user_settings.SQL", "add_user_settings"),
        ("a", "a"),
        ("a" * MAX_DESCRIPTION_LENGTH, "a" * MAX_DESCRIPTION_LENGTH),
    ],
)
def test_a_name_becomes_snake_case(name: str, description: str) -> None:
    assert to_snake_case(name) == description


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "The name '' is empty."),
        (" \n ", "The name ' \\n ' is empty."),
        ("!!!", "The name '!!!' contains neither letters nor digits."),
        (".sql", "The name '.sql' contains neither letters nor digits."),
        ("\0", "The name '\\x00' contains neither letters nor digits."),
        ("../add_users", "The name '../add_users' contains a path separator."),
        ("up\\add_users", "The name 'up\\\\add_users' contains a path separator."),
        ("--help", "The name '--help' starts with '-', as an option does."),
        ("003_add_users", "The name '003_add_users' starts with a digit."),
        ("20250813140000_add_users", "The name '20250813140000_add_users' starts with a digit."),
        ("добавить", "The name 'добавить' contains 'д', which has no equivalent in a-z and 0-9."),
        ("添加", "The name '添加' contains '添', which has no equivalent in a-z and 0-9."),
        ("a" * 237, f"The name '{'a' * 60}'… is longer than 236 characters (237)."),
    ],
)
def test_an_invalid_name_is_refused_with_the_rule(name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        to_snake_case(name)
    assert caught.value.message == message
    assert "A name starts with a letter and contains letters, digits, spaces, '-' and '_'" in caught.value.hint
    assert caught.value.state == "No file was created."


def test_the_longest_description_makes_a_file_name_of_255_bytes() -> None:
    version = f"20250813140000_{to_snake_case('a' * MAX_DESCRIPTION_LENGTH)}"
    assert VERSION_PATTERN.fullmatch(version)
    assert len(f"{version}.sql".encode()) == MAX_VERSION_LENGTH


@pytest.mark.parametrize(
    ("newest", "following"),
    [
        (None, "20250813140000"),
        ("20250813135959", "20250813140000"),
        ("20250813140000", "20250813140001"),
        ("20250813140000_create_users", "20250813140001"),
        ("20250813140059", "20250813140100"),
        ("20250813145959", "20250813150000"),
        ("20250813235959", "20250814000000"),
        ("20250831235959", "20250901000000"),
        ("20251231235959", "20260101000000"),
        ("20280228235959", "20280229000000"),
        ("20270228235959", "20270301000000"),
        ("20260231120000", "20260301000000"),
        ("20260431235959", "20260501000000"),
        ("29991231235958", "29991231235959"),
    ],
)
def test_the_next_timestamp_is_the_clock_or_the_one_after_the_newest(newest: str | None, following: str) -> None:
    now = datetime(2025, 8, 13, 14, 0, 0, 999_999, tzinfo=UTC)
    assert next_timestamp(now, newest) == following


def test_every_next_timestamp_of_a_chain_is_later_and_valid() -> None:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    chain = ["20250231235958"]
    for _ in range(200):
        chain.append(next_timestamp(now, chain[-1]))
    assert chain == sorted(set(chain))
    assert all(describe_fault(f"{timestamp}_a") is None for timestamp in chain)


def test_a_time_of_another_zone_is_converted_to_utc() -> None:
    now = datetime(2025, 8, 13, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert next_timestamp(now, None) == "20250812230000"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        next_timestamp(datetime(2025, 8, 13), None)  # noqa: DTZ001 - the case itself


def test_a_file_after_the_latest_possible_timestamp_is_refused() -> None:
    with pytest.raises(RefusedError, match="29991231235959 has the latest possible timestamp"):
        next_timestamp(datetime(2025, 8, 13, tzinfo=UTC), "29991231235959")


def test_the_newest_timestamp_is_taken_from_names_that_start_with_a_plausible_one() -> None:
    names = [
        "20250101000000_a.sql",
        "20250301000000_b.sql",
        "20250201000000_c.sql",
        "_20270101000000_left_out.sql",
        "99990101000000_no_year.sql",
        "202601010000001_too_long.sql",
        "008_old.sql",
    ]
    assert newest_timestamp(names) == "20250301000000"


def test_names_without_a_timestamp_have_no_newest() -> None:
    assert newest_timestamp(["008_old.sql", "README.md"]) is None
