"""The training of a run, from its configuration to its result.

It begins in `run.train_and_evaluate`, and trains in `fitting.fit`. This package
may import `serving`, to export the trained model, `workdir`, `methods`,
`input_pipeline`, and what they stand on.
"""
