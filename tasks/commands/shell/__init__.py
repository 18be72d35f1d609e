"""What happens before a command runs: completion in shells, the list of commands, errors of the command line."""
