"""Change the files of a checkout: git, atomic writes."""
