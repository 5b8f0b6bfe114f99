"""Contract of the archive's image."""
