"""The state of a database after a run, as a value to compare, and copies of databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.databases import Database, fresh_database
from tests.stress.blocking import find_useless_indexes
from tests.stress.mixed_plan import TABLES

Rows = list[tuple[Any, ...]]

_SCHEMA = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
_DATA = " UNION ALL ".join(f"SELECT '{table}', t::text FROM {table} t" for table in TABLES) + " ORDER BY 1, 2"
_LEDGER = """
SELECT version, checksum, execution_time_ms >= 0, up_text, down_text
  FROM schema_migrations FULL JOIN schema_migrations_scripts USING (version) ORDER BY 1
"""
_FINISHED = """
SELECT version, action, count(*) FILTER (WHERE outcome = 'finished'), (array_agg(outcome ORDER BY id DESC))[1]
  FROM schema_migrations_log WHERE version IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True)
class DatabaseState:
    """The schema, the rows of the mixed plan's tables, the ledger, and how often each action finished and how it ended."""

    schema: Rows
    data: Rows
    ledger: Rows
    log: Rows


def read_state(database: Database) -> DatabaseState:
    """Return the state of a database; fail if it contains an invalid index."""
    assert find_useless_indexes(database) == []
    return DatabaseState(*(database.query(query) for query in (_SCHEMA, _DATA, _LEDGER, _FINISHED)))


@contextmanager
def copy_of(original: Database) -> Iterator[Database]:
    """Yield a copy of a database, to which no session may be connected."""
    original.close()
    with fresh_database(original.server, original.name) as copy:
        yield copy
