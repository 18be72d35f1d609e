"""The stand-in for flyctl, in the points that a program can rely on. Only the standard library is imported at its start."""
