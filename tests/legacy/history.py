"""The folder of old files that the tests use, and the order in which its files were written."""

from pathlib import Path

LEGACY = Path(__file__).parent / "gaia"
INIT = LEGACY / "scripts" / "init-local-database.sql"
PERSONAS = LEGACY / "scripts" / "create_persona_tables.sql"
NUMBERED = tuple(sorted((LEGACY / "migrations").glob("0*.sql")))
UNNUMBERED = tuple(sorted((LEGACY / "migrations").glob("supabase_*.sql")))
SUPERSEDED = tuple(LEGACY / "migrations" / name for name in ("004_create_rbac_tables.sql", "005_create_rbac_functions.sql"))
"""The files of the design that 003_add_rbac_tables replaced."""
WORKING = tuple(file for file in NUMBERED if file not in SUPERSEDED)
