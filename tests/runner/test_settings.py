"""Settings as they were written, and once they are valid."""

from pathlib import Path

import pytest

from tasks.runner.errors import UsageError
from tasks.runner.retries import RetryPolicy
from tasks.runner.settings import (
    DatabaseUrlMissingError,
    RawSettings,
    Settings,
    place_folders,
    require_database_url,
    validate,
)


def read(**values: str) -> Settings:
    return validate(RawSettings(values))


def test_a_setting_that_is_not_set_has_its_default() -> None:
    assert read() == Settings("", Path("migrations"), Path("seeds"), RetryPolicy(5000, 10))


def test_an_empty_setting_counts_as_not_set() -> None:
    assert read(DATABASE_URL=" ", LOCK_TIMEOUT="", LOCK_ATTEMPTS="", MIGRATIONS_DIR="") == read()


def test_the_direct_url_is_preferred() -> None:
    both = read(DATABASE_URL="postgresql://pooler/db", DIRECT_DATABASE_URL="postgresql://server/db")
    assert both.database_url == "postgresql://server/db"
    assert read(DATABASE_URL="postgresql://pooler/db").database_url == "postgresql://pooler/db"


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("5s", 5000), ("250ms", 250), ("2 min", 120_000), (" 1s ", 1000), ("86400s", 86_400_000)]
)
def test_a_duration_has_a_unit(text: str, milliseconds: int) -> None:
    assert read(LOCK_TIMEOUT=text).policy.lock_timeout_ms == milliseconds


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LOCK_TIMEOUT", "5"),
        ("LOCK_TIMEOUT", "0s"),
        ("LOCK_TIMEOUT", "-1s"),
        ("LOCK_TIMEOUT", "1.5s"),
        ("LOCK_TIMEOUT", "5sec"),
        ("LOCK_TIMEOUT", "1441min"),
        ("LOCK_TIMEOUT", "٣s"),
        ("LOCK_TIMEOUT", "9" * 5000 + "s"),
        ("OLDEST_POSTGRES", "9"),
        ("OLDEST_POSTGRES", "15.4"),
        ("OLDEST_POSTGRES", "²"),
        ("LOCK_ATTEMPTS", "x"),
        ("LOCK_ATTEMPTS", "0"),
        ("LOCK_ATTEMPTS", "10001"),
        ("LOCK_ATTEMPTS", "²"),
        ("LOCK_ATTEMPTS", "9" * 5000),
    ],
)
def test_a_number_that_is_not_valid_is_refused_with_an_example(name: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(**{name: text})
    assert refused.value.message.startswith(f"{name}={text}: write a ")
    assert "for example" in refused.value.message
    assert refused.value.state == "Nothing was changed."


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("0B", 0),
        ("1B", 1),
        ("512kB", 512 * 1024),
        ("8MB", 8 * 1024**2),
        (" 2 GB ", 2 * 1024**3),
        ("1TB", 1024**4),
        ("", 8 * 1024**2),
    ],
)
def test_a_size_is_written_as_postgresql_writes_it(text: str, size: int) -> None:
    assert read(KEEP_TEXT=text).keep_text == size


@pytest.mark.parametrize("text", ["8", "8mb", "8Mb", "8KB", "8 M", "-1MB", "1.5MB", "MB", "\u0663MB", "9" * 5000 + "MB", "off"])
def test_a_size_that_is_not_valid_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(KEEP_TEXT=text)
    assert refused.value.message.startswith(f"KEEP_TEXT={text}: write a whole number with B, kB, MB, GB or TB, or 0")
    assert "for example KEEP_TEXT=8MB" in refused.value.message


def test_all_mistakes_are_listed_at_once() -> None:
    values = dict.fromkeys(("DATABASE_URL", "DIRECT_DATABASE_URL", "SCRATCH_DATABASE_URL"), "x")
    with pytest.raises(UsageError) as refused:
        validate(RawSettings({**values, "LOCK_TIMEOUT": "x", "LOCK_ATTEMPTS": "x"}), [".env:3 is not a setting"])
    lines = refused.value.message.splitlines()
    assert [line.partition(":")[0] for line in lines] == [".env", *values, "LOCK_TIMEOUT=x", "LOCK_ATTEMPTS=x"]


def test_bytes_of_the_actor_that_are_not_utf8_are_replaced() -> None:
    assert read(MIGRATE_ACTOR=" J\udcf6rg ").actor == "J\ufffdrg"
    assert read(MIGRATE_ACTOR=" ").actor == ""


def test_no_database_is_guessed() -> None:
    with pytest.raises(DatabaseUrlMissingError) as refused:
        require_database_url(read())
    assert (refused.value.message, refused.value.exit_code) == ("DATABASE_URL not set", 1)


def test_only_default_folders_are_placed_in_the_project() -> None:
    raw = RawSettings({"SEEDS_DIR": "data"})
    placed = place_folders(validate(raw), raw, Path("/project"))
    assert (placed.migrations_dir, placed.seeds_dir) == (Path("/project/migrations"), Path("data"))


def test_the_readers_of_the_ledger_are_names_as_they_are_spelt() -> None:
    assert read().ledger_readers == ()
    assert read(LEDGER_READERS=" monitoring, Support Team ,,monitoring").ledger_readers == ("monitoring", "Support Team")
