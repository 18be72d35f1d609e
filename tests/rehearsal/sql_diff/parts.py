"""Read the pairs of schemas in parts.sql: partitions, inheritance, and tables without columns."""

from pathlib import Path

from tests.rehearsal.sql_diff.pairs import read_examples

EXAMPLES = tuple(read_examples(Path(__file__).with_suffix(".sql")))
