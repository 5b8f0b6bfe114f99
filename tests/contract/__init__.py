"""Statements on the container contracts, run against stand-ins and upstream images alike."""
