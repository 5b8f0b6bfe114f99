"""The acceptance suite: what a finished lab must do, driven from outside as its users do it."""
