"""The commands that write migrations from models, schemas and the revisions of other tools."""
