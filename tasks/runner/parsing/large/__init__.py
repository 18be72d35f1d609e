"""Large files: their text stays in the file, and is read, scanned and parsed in parts."""
