"""Programs: each runs as `python -m scripts.NAME` from the checkout."""
