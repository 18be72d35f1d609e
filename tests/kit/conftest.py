"""The stand-in for Fly, for its own tests."""

from tests.kit.fly.fixtures import fly, new_database

__all__ = ["fly", "new_database"]
