"""Gaia's migrations and seeds as files, run without the runner, and the schema that they create."""

from pathlib import Path
from typing import NamedTuple

from tests.kit.databases import Database

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
UP, DOWN = ROOT / "migrations" / "up", ROOT / "migrations" / "down"
VERSIONS = sorted(path.stem for path in UP.glob("*.sql"))
SEEDS = sorted((ROOT / "seeds").glob("*.sql"))


class Part(NamedTuple):
    """One part of a schema, as catalog.sql describes it."""

    owner: str
    kind: str
    name: str
    text: str


Schema = frozenset[Part]


def read_schema(database: Database) -> Schema:
    """Read the schema from the catalog."""
    return frozenset(Part(*row) for row in database.query((HERE / "catalog.sql").read_text(encoding="utf-8")))


def run(database: Database, *paths: Path) -> None:
    """Run each file with one call: several statements share a transaction, a single one runs outside a transaction."""
    for path in paths:
        database.execute(path.read_text(encoding="utf-8"))


def migrate_up(database: Database, first: str = "", before: str = "~") -> None:
    """Run the up files in order, from a version (inclusive) up to another (exclusive)."""
    run(database, *(UP / f"{version}.sql" for version in VERSIONS if first <= version < before))


def migrate_down(database: Database, first: str = "~", last: str = "") -> None:
    """Run the down files in reverse order, from a version down to another (both inclusive)."""
    run(database, *(DOWN / f"{version}.sql" for version in reversed(VERSIONS) if last <= version <= first))
