"""The test kit: servers, databases, poolers, projects, a stand-in for Fly, and processes."""
