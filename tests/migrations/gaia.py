"""Gaia's migrations and seeds as files, run without the runner, and the schema that they make."""

from pathlib import Path
from typing import NamedTuple

from tests.kit.databases import Database

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
UP, DOWN = ROOT / "migrations" / "up", ROOT / "migrations" / "down"
VERSIONS = sorted(path.stem for path in UP.glob("*.sql"))
SEEDS = sorted((ROOT / "seeds").glob("*.sql"))


class Part(NamedTuple):
    """One part of a schema, as catalog.sql tells it."""

    owner: str
    kind: str
    name: str
    text: str


Schema = frozenset[Part]


def read_schema(database: Database) -> Schema:
    """Read the schema from the catalog."""
    return frozenset(Part(*row) for row in database.query((HERE / "catalog.sql").read_text(encoding="utf-8")))


def run(database: Database, *paths: Path) -> None:
    """Run each file as a whole: several statements share a transaction, a single one has none around it."""
    for path in paths:
        database.execute(path.read_text(encoding="utf-8"))


def climb(database: Database, first: str = "", before: str = "~") -> None:
    """Run the up files from one version on, in order, as long as they are older than another."""
    run(database, *(UP / f"{version}.sql" for version in VERSIONS if first <= version < before))


def descend(database: Database, first: str = "~", last: str = "") -> None:
    """Run the down files from one version back to another, both included."""
    run(database, *(DOWN / f"{version}.sql" for version in reversed(VERSIONS) if last <= version <= first))
