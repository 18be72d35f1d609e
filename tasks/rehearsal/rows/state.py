"""The rows and sequences of a database as one text, which is equal for two moments exactly if nothing in them differs."""

from __future__ import annotations

import psycopg
from psycopg import sql

UNKNOWN = ""
_LARGEST = 4 << 20
"""The bytes of all tables up to which their rows are read; so small tables are never read in parallel, in any order."""
_TABLES = """
SELECT n.nspname::text, c.relname::text, pg_catalog.pg_relation_size(c.oid), c.relforcerowsecurity
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND pg_catalog.pg_relation_size(c.oid) > 0
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   AND c.relname !~ '^schema_migrations_' ORDER BY 1, 2
"""
_SEQUENCES = """
SELECT pg_catalog.json_agg(ARRAY[seqrelid::pg_catalog.regclass::text, pg_catalog.pg_sequence_last_value(seqrelid)::text]
       ORDER BY seqrelid::pg_catalog.regclass::text)::text,
       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata)
  FROM pg_catalog.pg_sequence WHERE seqrelid::pg_catalog.regclass::text !~ 'schema_migrations_'
"""
_LEDGER = "schema_migrations"
_LEDGER_COLUMNS = sql.SQL("version, checksum")
_ROW = '"row of the table"'
"""An alias that no column has as its name."""


def read_state(connection: psycopg.Connection) -> str:
    """Return the rows of all tables, in their order, and the values of the sequences, as a text to compare.

    UNKNOWN if that is not possible: there are large objects, many rows, or rows that a policy may hide.
    """
    try:
        sequences, large_objects = connection.execute(_SEQUENCES).fetchone() or ("", 0)
        tables = connection.execute(_TABLES).fetchall()
        if large_objects or any(table[3] for table in tables) or sum(table[2] for table in tables) > _LARGEST:
            return UNKNOWN
        queries = [_compose_sum(schema, name) for schema, name, _, _ in tables]
        sums = connection.execute(sql.SQL(" UNION ALL ").join(queries)).fetchall() if queries else []
    except psycopg.Error:
        return UNKNOWN
    return repr((sequences, sorted(sums)))


def _compose_sum(schema: str, name: str) -> sql.Composed:
    """Return a query for the name of a table and the digest of its rows; of the ledger, without the times."""
    columns = _LEDGER_COLUMNS if name == _LEDGER else sql.SQL(f"{_ROW}.*")
    query = f"SELECT {{}}, md5(string_agg(md5(ROW({{}})::text), '')) FROM ONLY {{}} AS {_ROW}"
    return sql.SQL(query).format(sql.Literal(f"{schema}.{name}"), columns, sql.Identifier(schema, name))
