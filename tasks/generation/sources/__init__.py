"""Where a wanted schema comes from: a file of SQL, or an environment; and the tables that are not compared."""
