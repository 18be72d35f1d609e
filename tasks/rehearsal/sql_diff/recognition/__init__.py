"""Recognise what may have another name now: by type, place in the table, and likeness of names."""
