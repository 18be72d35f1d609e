"""A plan as one script for psql: it does what a run would do, the ledger included."""
