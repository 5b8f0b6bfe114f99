"""The login as the role runs it."""
