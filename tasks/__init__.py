"""The tool that migrates PostgreSQL for the Gaia Platform."""
