"""The training of a run, from its configuration to its result.

`run.train_and_evaluate` is where it begins, and `fitting.fit` where it trains.
It may import `serving`, to export what it trained, `workdir`, `methods`,
`input_pipeline`, and what they stand on.
"""
