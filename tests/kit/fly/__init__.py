"""A stand-in for Fly.io: machines behind a real SSH server, and a `fly` program that behaves like flyctl."""
