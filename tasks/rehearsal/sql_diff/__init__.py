"""Generate SQL from the difference of two schemas, and a migration pair that is verified on a scratch database."""

from tasks.rehearsal.sql_diff.pair import Pair, verify_pair, write_pair
from tasks.rehearsal.sql_diff.statements import WrittenSql, write_sql

__all__ = ["Pair", "WrittenSql", "verify_pair", "write_pair", "write_sql"]
