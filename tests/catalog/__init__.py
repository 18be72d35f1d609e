"""Tests of schemas as values."""
