"""Tests of what is observed on scratch."""
