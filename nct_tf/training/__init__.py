"""A run from its configuration to its result.

`run.train_and_evaluate` is where it begins. It may import everything but
`audit`, `experiments`, `benchmarks` and what lies above.
"""
