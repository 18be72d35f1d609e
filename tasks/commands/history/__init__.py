"""The commands on the history of a database and what runs in it now."""
