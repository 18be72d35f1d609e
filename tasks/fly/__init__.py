"""The same operations on a Fly machine: Fabric through `fly proxy`, with an issued certificate."""
