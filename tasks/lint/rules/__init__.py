"""The rules of a lint."""

from tasks.lint.rules.off import OFF
from tasks.lint.rules.table import RULES

__all__ = ["OFF", "RULES"]
