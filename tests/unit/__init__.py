"""Unit tests: everything that needs no Docker Engine."""
