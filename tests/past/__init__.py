"""Tests of tasks/past: the files and the databases from before the project had migrations."""
