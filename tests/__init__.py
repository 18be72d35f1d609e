"""Tests, laid out as tasks/ is."""

import sys

# With PYTHONDONTWRITEBYTECODE, as containers set it, each worker of each run would rewrite and compile all tests again.
sys.dont_write_bytecode = False
