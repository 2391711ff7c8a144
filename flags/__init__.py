"""Definitions of command line flags, a module per concern."""
