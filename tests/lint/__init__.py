"""Tests of db.lint."""
