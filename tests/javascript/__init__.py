"""Tests of the engine's JavaScript, in the interpreter that runs it in Mirth."""
