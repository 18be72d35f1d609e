"""The initial text of new migrations: statements that their name and the checkout's migrations determine, or an empty body."""
