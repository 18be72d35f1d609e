"""Databases for the tests of an application: copies of a template that has the current migrations, and the seeds if wanted."""
