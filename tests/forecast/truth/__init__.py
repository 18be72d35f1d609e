"""Common statements, measured with other sessions."""
