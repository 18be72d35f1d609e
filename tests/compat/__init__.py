"""Tests of the compatibility of running queries with pending migrations."""
