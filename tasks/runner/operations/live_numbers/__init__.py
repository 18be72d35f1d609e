"""What the numbers of a live database are read from: catalogs, cumulative statistics, locks, and the disk."""
