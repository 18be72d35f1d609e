"""Running the programs of PostgreSQL on a laptop: psql, pg_dump."""
