"""Write the revisions of Alembic as migrations of this tool."""
