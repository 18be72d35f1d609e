"""Put this tool into another repository, and upgrade it there: ./scripts/install-into.sh PATH."""
