"""Observe files on tables of two customers' kind."""

from tasks.forecast.model import ObservedStatement
from tasks.forecast.observing.observe import FileFailed, observe
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection

TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, name text, note text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers);
CREATE INDEX customers_name_idx ON customers (name);
"""


def observe_files(server: ScratchServer, *files: str, tables: str = TABLES) -> list[ObservedStatement | FileFailed]:
    """Observe pending files after one that makes the tables."""
    base = RehearsedMigration("20250101000000_tables", tables)
    pending = tuple(RehearsedMigration(f"202502{number:02}000000_file", text) for number, text in enumerate(files, 1))
    names = tuple(migration.name for migration in pending)
    return list(observe(server, Selection((base, *pending), names, "pending", frozenset({base.name}))))


def observe_statements(server: ScratchServer, *files: str, tables: str = TABLES) -> list[ObservedStatement]:
    """Observe pending files, none of which fails."""
    found = observe_files(server, *files, tables=tables)
    assert [each for each in found if isinstance(each, FileFailed)] == []
    return [each for each in found if isinstance(each, ObservedStatement)]


def list_locks(statement: ObservedStatement) -> dict[str, str]:
    """Return the locks of a statement by relation, without schema public."""
    return {lock.relation.removeprefix("public."): lock.mode.removesuffix("Lock") for lock in statement.locks}
