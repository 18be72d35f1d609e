"""Bad input, given to real processes: each gets an error that says what, where and what to do, and changes nothing."""
