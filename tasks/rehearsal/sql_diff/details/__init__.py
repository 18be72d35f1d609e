"""What pg_dump shows and a comparison of schemas does not count: names that the server chooses, and orders without effect."""
