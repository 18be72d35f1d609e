"""A few generated rows for every table, which satisfy its constraints and are compared after up and down."""

from tasks.rehearsal.rows.contents import LostRows, compare_rows, read_rows
from tasks.rehearsal.rows.filling import UnfilledTable, fill_tables
from tasks.rehearsal.rows.state import UNKNOWN, read_state

__all__ = ["UNKNOWN", "LostRows", "UnfilledTable", "compare_rows", "fill_tables", "read_rows", "read_state"]
