"""Messages about runs in trouble: what they say, and their way to the services that carry them."""
