"""A forecast for people: lines of text, a timeline of locks, and an HTML page."""
