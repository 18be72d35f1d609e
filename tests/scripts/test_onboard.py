"""scripts/onboard.sh and scripts/create-migration.sh, in a checkout that already has its .venv (tested in test_venv.py)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tasks.postgres.server import embedded
from tasks.runner.files.schema_file import NAME
from tests.kit.checkouts import Checkout, make_checkout
from tests.kit.projects import REPOSITORY

LEDGER = "SELECT version, applied_at, checksum FROM schema_migrations ORDER BY version"


@pytest.fixture
def clone(short_path: Path) -> Iterator[Checkout]:
    """Yield a checkout with Gaia's migrations and seeds, and no database yet."""
    checkout = make_checkout(short_path / "my clone")
    for folder in ("migrations", "seeds"):
        shutil.copytree(REPOSITORY / folder, checkout.root / folder, dirs_exist_ok=True)
    yield checkout
    embedded.stop(checkout.root / ".postgres")


def query(clone: Checkout, question: str) -> list[tuple[object, ...]]:
    url = embedded.find_running(clone.root / ".postgres")
    assert url is not None
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchall()


def test_onboarding_creates_the_schema_and_data_and_changes_nothing_the_second_time(clone: Checkout) -> None:
    first = clone.run(["./scripts/onboard.sh"], check=0)
    ledger = query(clone, LEDGER)
    assert len(ledger) == len(list((clone.root / "migrations" / "up").glob("*.sql")))
    assert query(clone, "SELECT name FROM personas") == [("Mu",)]
    assert "All migrations completed!" in first.stdout
    assert "Your database is ready" in first.stdout
    assert embedded.start_for_clients(clone.root / ".postgres") in first.stdout
    assert "inv db.psql" in first.stdout
    assert (clone.root / "migrations" / NAME).read_bytes() == (REPOSITORY / "migrations" / NAME).read_bytes()
    assert "was already running on 127.0.0.1:" in clone.inv("db.start", check=0).stdout
    assert clone.inv("db.url", check=0).stdout in first.stdout
    log = query(clone, "SELECT count(*) FROM schema_migrations_log")
    second = clone.run(["./scripts/onboard.sh"], check=0)
    assert "Your database is ready" in second.stdout
    assert query(clone, LEDGER) == ledger
    assert query(clone, "SELECT count(*) FROM schema_migrations_log") == log


def test_the_script_for_a_new_migration_creates_the_same_files_as_the_task(clone: Checkout) -> None:
    clone.run(["./scripts/create-migration.sh", "add_user_settings_table"], check=0)
    clone.inv("db.new", "add_user_settings_table", check=0)
    for folder in ("up", "down"):
        by_script, by_task = sorted((clone.root / "migrations" / folder).glob("*_add_user_settings_table.sql"))
        assert by_script.read_text().replace(by_script.stem, by_task.stem) == by_task.read_text()
