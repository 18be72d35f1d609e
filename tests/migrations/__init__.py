"""Tests of the migrations and seeds themselves."""
