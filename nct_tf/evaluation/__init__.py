"""How good a finished run is, and what it predicts.

It may import `training`, and what it stands on.
"""
