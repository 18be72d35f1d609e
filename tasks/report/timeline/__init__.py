"""The history of the schema as a picture: what was applied, rolled back, adopted, and what failed, in each environment."""
