"""The documentation beside the tool: its commands are run, its outputs compared, its links and names looked up."""
