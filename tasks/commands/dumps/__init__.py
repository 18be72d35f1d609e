"""db.dump and db.restore: a copy of a database as a file, and a local database made of it."""
