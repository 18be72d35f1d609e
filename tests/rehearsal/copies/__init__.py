"""Tests of the copies of templates."""
