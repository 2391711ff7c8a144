"""Examples that run: `python -m examples.tabular`, `examples.text`."""
