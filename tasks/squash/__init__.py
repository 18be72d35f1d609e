"""Making one migration of many."""
