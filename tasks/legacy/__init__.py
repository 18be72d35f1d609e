"""Clean up a folder of old SQL files."""
