"""Replace many migrations by one."""
