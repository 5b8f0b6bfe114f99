"""Contract of the engine: Mirth Connect 4.5.2."""
