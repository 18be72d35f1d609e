"""URLs of the same database are recognised."""

from pathlib import Path

import pytest

from tasks.rehearsal.scratch.addresses import is_same_database

SAME = [
    ("postgresql://a@localhost/app", "postgresql://b:secret@127.0.0.1:5432/app"),
    ("postgresql:///app", "host=localhost dbname=app"),
    ("postgresql://app@/", "postgresql://localhost/app"),
    ("postgresql://DB.example.com/app", "postgresql://db.example.com:5432/app?sslmode=require"),
    ("postgresql://one,two/app", "postgresql://two/app"),
    ("postgresql:///app?host=/run/postgresql", "postgresql://localhost/app"),
]
DIFFERENT = [
    ("postgresql://localhost/app", "postgresql://localhost/scratch"),
    ("postgresql://localhost/app", "postgresql://localhost:5433/app"),
    ("postgresql://localhost/app", "postgresql://db.example.com/app"),
    ("postgresql:///app?host=/srv/one", "postgresql:///app?host=/srv/two"),
]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_urls_of_the_same_database_are_recognised(one: str, other: str) -> None:
    assert is_same_database(one, other)
    assert is_same_database(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_urls_of_different_databases_are_distinguished(one: str, other: str) -> None:
    assert not is_same_database(one, other)


def test_missing_parts_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db.example.com")
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATABASE", "app")
    assert is_same_database("postgresql://", "postgresql://db.example.com:6000/app")


def test_a_service_is_compared_by_what_it_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text("[ours]\nhost=db.example.com\ndbname=app\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert is_same_database("service=ours", "postgresql://db.example.com/app")
    assert not is_same_database("service=ours dbname=other", "postgresql://db.example.com/app")
