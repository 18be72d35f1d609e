"""What tests stand on: servers, databases, poolers, project folders and waiting."""
