"""Whether the queries of the running code survive the pending migrations, on scratch databases: nothing is executed."""
