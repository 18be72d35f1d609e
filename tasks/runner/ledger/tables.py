"""The names of the ledger's tables."""

from __future__ import annotations

TABLE = "schema_migrations"
HELPER_TABLES = ("_log", "_meta", "_scripts", "_seeds")
"""The tables beside schema_migrations, without its name."""
TABLES = (TABLE, *(f"{TABLE}{suffix}" for suffix in HELPER_TABLES))

BY_SCRIPT = " with the script of "
"""What the applied_by of a migration contains that a script of db.migrate --sql applied, between two names."""
