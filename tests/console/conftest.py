"""Fixtures of an operator at a terminal."""

from tests.runner.conftest import operator as operator
