"""What the project does about files and databases from before it: their names, dates and records."""
