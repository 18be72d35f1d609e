"""The proof of generated files on scratch, in tables with rows."""
