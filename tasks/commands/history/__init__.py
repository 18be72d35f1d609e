"""Commands about what happened in a database, and what happens in it now."""
