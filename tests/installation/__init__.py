"""Tests of the installation into another repository."""
