"""Read old files: their names, dates, folders, and texts."""
