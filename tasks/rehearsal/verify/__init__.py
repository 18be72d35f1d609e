"""Verification of migrations on scratch databases: db.verify."""
