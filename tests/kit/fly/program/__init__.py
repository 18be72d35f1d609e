"""The `fly` program of the stand-in: the commands of flyctl that the tool calls."""
