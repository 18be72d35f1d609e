"""Gaia's migrations create the schema that Gaia has, and each down restores the schema before its up."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.kit.databases import fresh_database
from tests.kit.servers import Server
from tests.migrations.gaia import DOWN, HERE, UP, VERSIONS, Part, Schema, migrate_down, migrate_up, read_schema

FACTS: dict[str, dict[str, list[Any]]] = json.loads((HERE / "gaia_facts.json").read_text(encoding="utf-8"))
FILES = [*sorted(UP.iterdir()), *sorted(DOWN.iterdir())]

any_file = pytest.mark.parametrize("path", FILES, ids=[f"{path.parent.name}/{path.stem}" for path in FILES])
any_version = pytest.mark.parametrize("version", VERSIONS)


@dataclass(frozen=True)
class SchemaHistory:
    """The schema before each up, at the end, after each down, and after all ups were run again."""

    before: dict[str, Schema]
    final: Schema
    restored: dict[str, Schema]
    again: Schema


@pytest.fixture(scope="module")
def schemas(embedded: Server) -> SchemaHistory:
    """Run all files up, down and up again, and read the schema after each."""
    before, restored = {}, {}
    with fresh_database(embedded) as database:
        for version in VERSIONS:
            before[version] = read_schema(database)
            migrate_up(database, first=version, before=version + "~")
        final = read_schema(database)
        for version in reversed(VERSIONS):
            migrate_down(database, first=version, last=version)
            restored[version] = read_schema(database)
        migrate_up(database)
        return SchemaHistory(before, final, restored, read_schema(database))


def describe(table: str, place: int, column: dict[str, Any]) -> Part:
    """Return the part of a schema that describes a column of the facts."""
    null = "" if column["null"] else " NOT NULL"
    default = f" DEFAULT {column['default']}" if column["default"] else ""
    return Part(table, "column", column["name"], f"{place} {column['type']}{null}{default}")


@pytest.mark.parametrize("table", FACTS)
def test_a_table_matches_the_facts(schemas: SchemaHistory, table: str) -> None:
    parts = [part for part in schemas.final if part.owner == table]
    facts = FACTS[table]
    columns = {describe(table, place, column) for place, column in enumerate(facts["columns"], start=1)}
    assert {part for part in parts if part.kind == "column"} == columns
    assert sorted(part.text for part in parts if part.kind == "constraint") == facts["constraints"]
    assert sorted(part.text for part in parts if part.kind == "index") == facts["indexes"]
    assert sorted(part.name for part in parts if part.kind == "trigger") == facts["triggers"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("relation", set(FACTS)),
        ("function", {"update_updated_at_column", "record_kb_document_history"}),
        ("extension", {"vector"}),
    ],
)
def test_the_schema_has_no_other_objects(schemas: SchemaHistory, kind: str, names: set[str]) -> None:
    assert {part.name for part in schemas.final if part.kind == kind} == names


@any_version
def test_a_down_restores_the_schema_before_its_up(schemas: SchemaHistory, version: str) -> None:
    assert schemas.restored[version] == schemas.before[version]


def test_all_downs_leave_nothing(schemas: SchemaHistory) -> None:
    assert schemas.restored[VERSIONS[0]] == frozenset()


def test_the_schema_can_be_created_again_after_all_downs(schemas: SchemaHistory) -> None:
    assert schemas.again == schemas.final


def test_every_up_has_a_down_of_the_same_name() -> None:
    assert sorted(path.name for path in DOWN.iterdir()) == [f"{version}.sql" for version in VERSIONS]


@any_version
def test_a_version_is_a_date_of_the_history_and_a_description(version: str) -> None:
    match = re.fullmatch(r"(\d{14})_[a-z0-9]+(?:_[a-z0-9]+)*", version)
    assert match
    date = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    assert datetime(2025, 7, 1, tzinfo=UTC) <= date < datetime(2025, 12, 1, tzinfo=UTC)


def test_no_two_migrations_have_the_same_timestamp() -> None:
    assert len({version[:14] for version in VERSIONS}) == len(VERSIONS)


@any_file
def test_a_migration_has_the_header_of_the_template(path: Path) -> None:
    name, description, blank, *_ = path.read_text(encoding="utf-8").splitlines()
    assert name == f"-- Migration: {path.name}"
    assert re.fullmatch(r"-- Description: [A-Z].+", description)
    assert blank == ""


@any_file
def test_a_migration_leaves_transaction_and_ledger_to_the_runner(path: Path) -> None:
    own = r"^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK)\b.*;|schema_migrations"
    assert not re.search(own, path.read_text(encoding="utf-8"), re.MULTILINE | re.IGNORECASE)
