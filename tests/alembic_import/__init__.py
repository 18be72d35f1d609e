"""Tests of tasks/alembic_import."""
