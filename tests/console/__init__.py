"""Tests of the plain words."""
