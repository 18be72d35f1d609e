"""Bad input for real processes: each ends with an error that names what, where and the next step, and changes nothing."""
