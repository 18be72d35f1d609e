"""What a reviewer would object to in pending migrations: squawk's rules and our own, with the safe migration for each finding."""
