"""How good a finished run is."""
