"""Many rows for the tables on scratch, in the shape that the statistics of the live tables describe."""
