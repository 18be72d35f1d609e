"""Tests of db.dump and db.restore."""
