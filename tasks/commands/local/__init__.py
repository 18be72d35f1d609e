"""Commands for the local database."""
