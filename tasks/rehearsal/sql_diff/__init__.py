"""From a difference of two schemas to the SQL that makes it, and to a migration pair that is proved on scratch."""

from tasks.rehearsal.sql_diff.pair import Pair, prove, write_pair, write_text
from tasks.rehearsal.sql_diff.statements import Written, write_sql

__all__ = ["Pair", "Written", "prove", "write_pair", "write_sql", "write_text"]
