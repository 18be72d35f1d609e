"""The commands behind the Invoke tasks: one file per command that is more than flags."""
