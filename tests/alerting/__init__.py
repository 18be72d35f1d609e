"""Messages about runs in trouble."""
