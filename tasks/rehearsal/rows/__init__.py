"""A few rows for every table: made to satisfy its constraints, and compared after a migration went up and down."""

from tasks.rehearsal.rows.contents import compare_rows, read_rows
from tasks.rehearsal.rows.filling import Unfilled, fill_tables

__all__ = ["Unfilled", "compare_rows", "fill_tables", "read_rows"]
